/**
 * The whole wiring: inputs → buffer → one delivery thread per output, and the admin beside them.
 * The only file that knows all the rooms; it moves no event itself.
 */
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { EventBuffer } from '../buffer/buffer.ts'
import { openFileBuffer } from '../buffer/file-buffer.ts'
import type { OutputContext } from '../outputs/output.ts'
import { type InheritedSockets, inheritSockets } from '../protocols/listening/inherited-sockets.ts'
import { LISTEN_VARIABLES, readListenFds } from '../protocols/listening/listen-fds.ts'
import type { Listener } from '../protocols/protocol.ts'
import { startAdmin } from './admin/admin.ts'
import { watchEventLoop } from './admin/event-loop.ts'
import type { Config, InputConfig, OutputConfig, SecondaryConfig } from './config/config.ts'
import { systemClock } from './core/clock.ts'
import { LogboomError } from './core/errors.ts'
import { collectGarbage } from './core/garbage.ts'
import type { Logger } from './core/log.ts'
import { createInputStats, type InputStats } from './core/metrics.ts'
import type { EventSearch } from './core/search.ts'
import type { RunState, StatusReport } from './core/status.ts'
import type { Delivery, SecondaryOrder } from './delivery/delivery.ts'
import { startDelivery } from './delivery/start-delivery.ts'
import { bufferStatus, reportStatus } from './status-report.ts'
import { VERSION } from './version.ts'

export interface RunningInput {
  readonly config: InputConfig
  readonly listener: Listener
  readonly stats: InputStats
}

export interface RunningOutput {
  readonly config: OutputConfig
  readonly delivery: Delivery
  readonly search: EventSearch | undefined
}

/**
 * Starts everything: the admin side first, so that `/readyz` can say what is waited for, the listeners last.
 * Throws LogboomError: the buffer is locked, an address is taken, an output cannot be opened.
 */
export async function startPipeline(config: Config, log: Logger): Promise<Pipeline> {
  const inherited = await inheritSockets(readListenFds(process.env, process.pid), log)
  // They are not for the programs that this one may start.
  for (const variable of LISTEN_VARIABLES) delete process.env[variable]
  const pipeline = new Pipeline(config, inherited, log)
  try {
    await pipeline.start()
  } catch (error) {
    await pipeline.close()
    throw error
  }
  return pipeline
}

async function openBuffer(config: Config, log: Logger): Promise<EventBuffer> {
  const { buffer } = config
  const parts = { log, clock: systemClock, outputs: readersOf(config).map((output) => output.name) }
  if (buffer.kafka === undefined) return openFileBuffer(buffer, parts)
  const { openKafkaBuffer } = await import('../buffer/kafka/kafka-buffer.ts')
  return openKafkaBuffer(buffer.kafka, parts)
}

export class Pipeline {
  readonly #inherited: InheritedSockets
  readonly #log: Logger
  readonly #inputs = new Map<string, RunningInput>()
  readonly #outputs = new Map<string, RunningOutput>()
  readonly #startedMs = systemClock.now()
  readonly #eventLoop = watchEventLoop()
  #config: Config
  #state: RunState = 'starting'
  #admin: { close(): Promise<void> } | undefined
  /** Undefined while it is opened: recovery may take a while. */
  #opened: EventBuffer | undefined

  constructor(config: Config, inherited: InheritedSockets, log: Logger) {
    this.#config = config
    this.#inherited = inherited
    this.#log = log
  }

  get #buffer(): EventBuffer {
    if (this.#opened === undefined) throw new Error('the buffer is not open yet')
    return this.#opened
  }

  async start(): Promise<void> {
    this.#admin = await this.#startAdmin()
    this.#opened = await openBuffer(this.#config, this.#log.child({ part: 'buffer' }))
    for (const output of readersOf(this.#config)) await this.#addOutput(output)
    await collectGarbage()
    try {
      for (const input of this.#config.inputs) await this.#addInput(input, createInputStats())
    } finally {
      // Also when an address is taken: it is perhaps by the very socket that was meant for it.
      this.#warnOfUnusedSockets()
    }
    this.#state = 'running'
  }

  /** What the console, the API and the banner show. */
  report(): StatusReport {
    return reportStatus({
      config: this.#config,
      state: this.#state,
      startedMs: this.#startedMs,
      inputs: this.#inputs,
      outputs: this.#outputs,
      buffer: bufferStatus(this.#opened),
    })
  }

  /** Makes the running parts those of `next`; what did not change goes on untouched, sockets and all. */
  async reload(next: Config): Promise<void> {
    const before = this.#config
    this.#warnOfFixedParts(next)
    this.#config = { ...next, buffer: before.buffer, admin: before.admin, node: before.node, log: before.log }
    // Compared with what runs, not with what was asked for: a part that could not be started is tried again.
    const inputs = [...this.#inputs.values()].map((input) => input.config)
    const outputs = [...this.#outputs.values()].map((output) => output.config)
    const oldInputs = inputs.filter((input) => !isIn(input, next.inputs))
    const newInputs = next.inputs.filter((input) => !isIn(input, inputs))
    const oldOutputs = outputs.filter((output) => !isIn(output, readersOf(next)))
    const newOutputs = readersOf(next).filter((output) => !isIn(output, outputs))
    const stats = new Map([...this.#inputs].map(([name, input]) => [name, input.stats]))
    for (const { name } of oldInputs) await this.#removeInput(name)
    for (const { name } of oldOutputs) await this.#removeOutput(name)
    for (const output of newOutputs) await this.#addOutput(output)
    for (const { listener } of this.#inputs.values()) await listener.reload?.()
    for (const input of newInputs) await this.#addInput(input, stats.get(input.name) ?? createInputStats())
    this.#warnOfUnusedSockets()
    // An output that was changed keeps its seat meanwhile, so that nothing is deleted before it reads on.
    for (const { name } of oldOutputs) if (!this.#outputs.has(name)) this.#buffer.leave(name)
  }

  /** Stops taking in, finishes what is in flight within the configured limit, keeps the rest in the buffer. */
  async close(): Promise<void> {
    this.#state = 'draining'
    await this.#inherited.close()
    await Promise.all([...this.#inputs.keys()].map((name) => this.#removeInput(name)))
    await Promise.all([...this.#outputs.keys()].map((name) => this.#removeOutput(name)))
    await this.#opened?.close()
    await this.#admin?.close()
    this.#eventLoop.close()
  }

  #startAdmin() {
    const outputs = this.#outputs
    return startAdmin(this.#config.admin, {
      version: VERSION,
      log: this.#log,
      status: () => this.report(),
      inputs: () => this.#inputs.values().map(({ config, stats }) => ({ name: config.name, stats })),
      outputs: () => outputs.values().map(({ config, delivery }) => ({ name: config.name, stats: delivery.stats })),
      desks: () => new Map(outputs.values().map(({ config, delivery }) => [config.name, delivery.desk])),
      buffer: () => bufferStatus(this.#opened),
      eventLoopDelaySeconds: () => this.#eventLoop.longestSeconds(),
      get search() {
        return outputs.values().find((output) => output.search !== undefined)?.search
      },
    })
  }

  async #addInput(input: InputConfig, stats: InputStats): Promise<void> {
    const listener = await input.protocol.listen(input.options as never, {
      name: input.name,
      emit: this.#buffer.append,
      spool: () => this.#buffer.spool(),
      marks: this.#buffer.marks,
      stats,
      log: this.#log.child({ input: input.name }),
      clock: systemClock,
      inherited: this.#inherited,
      addressOf: (type) => this.#addressOf(type),
    })
    this.#inputs.set(input.name, { config: input, listener, stats })
  }

  #addressOf(type: string): string | undefined {
    const input = this.#inputs.values().find(({ config }) => config.type === type)
    return input?.listener.addresses[0]?.split(' ', 1)[0]
  }

  async #removeInput(name: string): Promise<void> {
    await this.#inputs.get(name)?.listener.close()
    this.#inputs.delete(name)
  }

  async #addOutput(config: OutputConfig): Promise<void> {
    const { name, type, module, options, match, filters, batch, retry, deadLettersMaxBytes, output } = config
    const { path: root } = this.#config.buffer
    const directory = await makeFolder(path.join(root, 'outputs', name))
    const deadLetterDirectory = await makeFolder(path.join(root, 'dead-letters', name))
    const { id: node, sequence } = this.#config.node
    const seat = await this.#buffer.seat(name)
    const own = { output: name, type, module, options, match, filters, batch, retry, seat, node, sequence }
    const logLevel = this.#config.log.level
    const isParked = config.onLag === 'park'
    const lagLimit = config.onLag === 'block' ? undefined : { ...config.lagLimit, isParked }
    const parked = orderParked(config, root)
    const secondary = config.secondary && (await orderSecondary(config.secondary, root, name))
    const folders = { directory, deadLetterDirectory, deadLettersMaxBytes }
    const delivery = await startDelivery({ ...own, ...folders, secondary, lagLimit, parked, logLevel }, this.#log)
    const log = this.#log.child({ output: name })
    const { stats } = delivery
    const context: OutputContext = { name, node, sequence, directory, log, clock: systemClock, stats }
    const search = await output.openSearch?.(options as never, context)
    this.#outputs.set(name, { config, delivery, search })
  }

  async #removeOutput(name: string): Promise<void> {
    const output = this.#outputs.get(name)
    await output?.delivery.close(this.#config.shutdownLimitMs)
    await output?.search?.close()
    this.#outputs.delete(name)
  }

  #warnOfUnusedSockets(): void {
    for (const socket of this.#inherited.unused()) {
      const error = new LogboomError('LB-S014', { socket })
      this.#log.warn({ code: error.code, socket }, `${error.message}. ${error.help}`)
    }
  }

  #warnOfFixedParts(next: Config): void {
    for (const part of ['buffer', 'admin', 'node', 'log'] as const) {
      if (isSame(this.#config[part], next[part])) continue
      this.#log.warn({ part }, `a change of \`${part}\` takes effect at the next start`)
    }
  }
}

/** Components are plain data beside their code, so that two are the same when they are written the same. */
const isSame = (a: object, b: object) => JSON.stringify(a) === JSON.stringify(b)
const isIn = (one: object, all: readonly object[]) => all.some((other) => isSame(one, other))

/** Those that read the buffer. */
const readersOf = ({ outputs }: Config) => outputs.filter(({ isSpare }) => !isSpare)

/** A name has no dot, so that the folder is no other output's. */
async function orderSecondary(secondary: SecondaryConfig, root: string, first: string): Promise<SecondaryOrder> {
  const { name, module, options, afterMs } = secondary
  const directory = await makeFolder(path.join(root, 'outputs', `${first}.secondary.${name}`))
  return { output: name, module, options, afterMs, directory }
}

/** What was parked once is delivered, whatever `on_lag` is now. */
function orderParked({ name, onLag, parkLimitBytes: maxBytes }: OutputConfig, root: string) {
  const directory = path.join(root, 'parked', name)
  return onLag === 'park' || existsSync(directory) ? { directory, maxBytes } : undefined
}

async function makeFolder(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  return directory
}
