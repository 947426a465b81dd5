/**
 * The admin server: health, metrics, API and console on one address. It reads from the sources; all it
 * changes is dead letters, when it is told to.
 */
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance } from 'fastify'
import { LogboomError } from '../core/errors.ts'
import type { HostPort } from '../core/fields.ts'
import { answerAllErrors } from './answer-error.ts'
import { describeApi, serveApi } from './api.ts'
import { CONSOLE_DIRECTORY, serveConsole } from './console.ts'
import { serveDeadLetters } from './dead-letters.ts'
import { guard } from './guard.ts'
import { serveHealth } from './health.ts'
import { serveReplay } from './replay.ts'
import type { AdminSources } from './sources.ts'
import { serveTail } from './tail.ts'

/** No route reads more than a few parameters. */
const BODY_BYTES_MAX = 1_024
const REQUEST_MS_MAX = 10_000
/** Longer than a tail's heartbeat. */
const SILENT_MS_MAX = 60_000
const CONNECTIONS_MAX = 256

export interface AdminConfig {
  readonly listen: HostPort
  readonly token: string | undefined
  /** Where the built page is; for tests. */
  readonly consoleDirectory?: string
}

export interface Admin {
  /** The address it listens on, and the port the system gave where port 0 was asked for. */
  readonly address: string
  readonly port: number
  /** Ends the tails and closes every connection. */
  close(): Promise<void>
}

function listenError(error: NodeJS.ErrnoException, { host, port }: HostPort): unknown {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`
  if (error.code === 'EADDRINUSE')
    return new LogboomError('LB-S001', { address, key: 'admin.listen' }, { cause: error })
  if (error.code === undefined) return error
  return new LogboomError('LB-S002', { address, key: 'admin.listen', reason: error.message }, { cause: error })
}

function createApp(): FastifyInstance {
  const app = fastify({
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS_MAX,
    connectionTimeout: SILENT_MS_MAX,
    forceCloseConnections: true,
    return503OnClosing: false,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: true } },
  })
  app.server.maxConnections = CONNECTIONS_MAX
  // The response schemas describe; they must not cut what they do not name.
  app.setSerializerCompiler(() => (value) => JSON.stringify(value))
  return app
}

/**
 * Starts to listen. Throws LogboomError LB-S001 when the address is taken, LB-S002 when it may not be opened.
 * That an address others can reach has a token is the configuration's check (LB-S008).
 */
export async function startAdmin(config: AdminConfig, sources: AdminSources): Promise<Admin> {
  const { listen, token, consoleDirectory = CONSOLE_DIRECTORY } = config
  const app = createApp()
  answerAllErrors(app, sources.log)
  guard(app, { host: listen.host, token })
  await describeApi(app, sources.version)
  serveHealth(app, sources)
  serveApi(app, sources)
  serveDeadLetters(app, sources)
  serveReplay(app, sources)
  const tails = serveTail(app, sources)
  await app.register((scope) => serveConsole(scope, consoleDirectory))
  try {
    await app.listen({ host: listen.host, port: listen.port })
  } catch (error) {
    await app.close()
    throw listenError(error as NodeJS.ErrnoException, listen)
  }
  const { address, port } = app.server.address() as AddressInfo
  return {
    address,
    port,
    close: async () => {
      tails.stop()
      await app.close()
    },
  }
}
