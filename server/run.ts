/** One life of the server: start, say so, heed the signals, stop in order. It never exits the process itself. */
import path from 'node:path'
import { banner } from './banner.ts'
import type { Config } from './config/config.ts'
import { loadConfig, loadWithPlaces, withPlace } from './config/load.ts'
import { systemClock } from './core/clock.ts'
import type { Logger } from './core/log.ts'
import { createLogger } from './logger.ts'
import { type Pipeline, startPipeline } from './pipeline.ts'

export interface RunOptions {
  /** The configuration file; undefined: look for one, else the embedded default. */
  readonly config?: string | undefined
}

/** Resolves when the server was stopped by a signal. Throws ConfigErrors, LogboomError. */
export async function run(options: RunOptions): Promise<void> {
  const loaded = await loadWithPlaces({ file: options.config })
  const { config } = loaded
  const log = createLogger({ level: config.log.level })
  const pipeline = await startPipeline(config, log).catch((error: unknown) => {
    throw withPlace(error, loaded)
  })
  process.stderr.write(greet(config, pipeline))
  await untilStopped(pipeline, { options, log })
}

function greet(config: Config, pipeline: Pipeline): string {
  const { host, port } = config.admin.listen
  const shown = path.relative(process.cwd(), config.buffer.path)
  return banner(pipeline.report(), {
    consoleUrl: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    path: shown.startsWith('..') ? config.buffer.path : `./${shown}`,
    isColored: process.stderr.isTTY && process.env.NO_COLOR === undefined,
  })
}

/**
 * A signal to the whole process group, passed on by npm besides, comes twice: a repeat within this time is the same
 * one.
 */
const SAME_SIGNAL_MS = 1_000

/** TERM and INT stop in order, a second one at once; HUP reloads. */
function untilStopped(pipeline: Pipeline, { options, log }: { options: RunOptions; log: Logger }): Promise<void> {
  let reloading = Promise.resolve()
  process.on('SIGHUP', () => {
    reloading = reloading.then(() => reload(pipeline, options, log))
  })
  return new Promise((resolve, reject) => {
    let firstMs: number | undefined
    const stop = (signal: NodeJS.Signals) => {
      const now = systemClock.monotonic()
      if (firstMs !== undefined) return now - firstMs > SAME_SIGNAL_MS ? stopAtOnce(signal, log) : undefined
      firstMs = now
      log.info({ signal }, 'stopping: no new events are taken in, what is in flight is finished')
      reloading
        .then(() => pipeline.close())
        .then(() => log.info({}, 'stopped; what was not delivered is in the buffer'))
        .then(resolve, reject)
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
  })
}

/** By the signal's own default action, so that whoever waits sees which it was. Nothing acknowledged is lost by it. */
function stopAtOnce(signal: NodeJS.Signals, log: Logger): void {
  log.warn({ signal }, 'stopped at once: what was in flight is delivered again after the next start')
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}

/** A configuration that is not valid changes nothing. */
async function reload(pipeline: Pipeline, options: RunOptions, log: Logger): Promise<void> {
  try {
    await pipeline.reload(await loadConfig({ file: options.config }))
    log.info({}, 'reloaded')
  } catch (error) {
    log.error({ err: error }, 'the reload failed; what runs is unchanged where it could be kept')
  }
}
