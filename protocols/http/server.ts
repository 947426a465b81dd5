/** The routes: `POST /<tag>` takes events, `GET /` says that it is there. Sockets come from the listener. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { type ErrorDetails, type KnockCode, LogboomError } from '../../server/core/errors.ts'
import type { EventStream } from '../../server/core/event.ts'
import { watchTimeLimits } from '../listening/accept-http.ts'
import type { Doorbell } from '../listening/doorbell.ts'
import { recognise } from '../listening/first-bytes.ts'
import { peerName } from '../listening/listen-stream.ts'
import type { InputContext } from '../protocol.ts'
import type { BodyLimits } from './body.ts'
import { unknownType } from './body-format.ts'
import { createDoor, type DoorRules } from './door.ts'
import { BodyFault, LIMITS, Refusal } from './limits.ts'
import { Pressure } from './pressure.ts'
import { readRecords } from './records.ts'
import { RequestEntries } from './request-entries.ts'
import { type TagRules, tagOf, timeOf } from './target.ts'

export interface HttpRules extends BodyLimits, TagRules, DoorRules {}

export interface HttpServer {
  /** Give it a connection by its event `connection`. */
  readonly server: Server
  /** From now on each answer is the last of its connection; those without a request are closed. */
  drain(): void
  close(): Promise<void>
}

export async function createHttpServer(
  rules: HttpRules,
  context: InputContext,
  doorbell: Doorbell,
): Promise<HttpServer> {
  const state = { draining: false }
  const { app, server } = createApp()
  const door = createDoor(rules)
  const takeEvents = createTaker(rules, context)
  app.addHook('onRequest', async (request, reply) => door(request, reply))
  app.addHook('onSend', async (_request, reply) => {
    if (state.draining) void reply.header('connection', 'close')
  })
  app.get('/', async (_request, reply) => reply.send({ status: 'ok' }))
  app.options('/*', async (_request, reply) =>
    reply
      .header('access-control-allow-methods', 'POST')
      .header('access-control-allow-headers', 'authorization, content-type, content-encoding, x-logboom-chunk')
      .code(204)
      .send(),
  )
  app.post('/*', async (request, reply) => reply.send({ events: await takeEvents(request) }))
  app.setNotFoundHandler(async (request, reply) => {
    void reply.header('allow', 'GET, POST, OPTIONS')
    throw new Refusal(405, 'LB-H010', { method: request.method })
  })
  app.setErrorHandler<FastifyError | Error>((error, request, reply) => answer(error, request, reply, context, doorbell))
  tellStrangers(server, doorbell)
  await app.ready()
  watchTimeLimits(server)
  const drain = () => {
    state.draining = true
    server.closeIdleConnections()
  }
  return { server, drain, close: () => app.close() }
}

function createApp(): { app: FastifyInstance; server: Server } {
  const limits = { headersTimeout: LIMITS.headersMs, requestTimeout: LIMITS.requestMs, keepAliveTimeout: LIMITS.idleMs }
  let server: Server | undefined
  const app = fastify({
    logger: false,
    routerOptions: { maxParamLength: 4 * LIMITS.tagBytes },
    serverFactory: (handler) => {
      server = createServer({ ...limits, connectionsCheckingInterval: LIMITS.headersMs / 2 }, handler)
      return server
    },
  })
  app.removeAllContentTypeParsers()
  // The handler reads the body by itself, as it comes.
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  return { app, server: server! }
}

/** What takes the events of a request. Resolves with their number once they are durable. Throws Refusal, BodyFault. */
function createTaker(rules: HttpRules, context: InputContext) {
  const pressure = new Pressure(context.clock)
  return async ({ raw }: FastifyRequest): Promise<number> => {
    const [path, query] = splitTarget(raw.url!)
    const tag = tagOf(path, rules)
    const chunkId = chunkIdOf(raw)
    const time = timeOf(new URLSearchParams(query).get('time'))
    const claim = pressure.admit()
    const entries = new RequestEntries(context.spool)
    const counted = (bytes: number) => {
      context.stats.bytes += bytes
    }
    try {
      await readRecords(raw, entries, { limits: rules, time, claim, counted })
      if (entries.count === 0) return 0
      const packed = await entries.finish()
      const stream: EventStream = { tag, packed, count: entries.count, peer: peerName(raw.socket) }
      claim.wait()
      await store(chunkId === undefined ? stream : { ...stream, chunkId }, context)
      return entries.count
    } finally {
      claim.release()
      await entries.discard()
    }
  }
}

/** Path and query as they are written: a URL would take `..` out of the path. */
function splitTarget(target: string): [string, string] {
  const mark = target.indexOf('?')
  return mark === -1 ? [target, ''] : [target.slice(0, mark), target.slice(mark + 1)]
}

async function store(stream: EventStream, { emit, stats }: InputContext): Promise<void> {
  try {
    await emit(stream)
  } catch (error) {
    throw new Refusal(503, 'LB-H011', { reason: (error as Error).message })
  }
  stats.events += stream.count
}

/** The header by which a request that is sent again is known: its events are stored once. */
function chunkIdOf({ headers }: IncomingMessage): Buffer | undefined {
  const id = headers['x-logboom-chunk']
  if (id === undefined) return undefined
  if (typeof id === 'string' && id !== '' && id.length <= LIMITS.chunkIdCharacters) return Buffer.from(id, 'latin1')
  const reason = `it must have 1 to ${LIMITS.chunkIdCharacters} characters`
  throw new Refusal(400, 'LB-H004', { parameter: 'X-Logboom-Chunk', reason })
}

/** The answer to a request that was refused; the doorbell knows it too. */
function answer(
  error: FastifyError | Error,
  { raw }: FastifyRequest,
  reply: FastifyReply,
  context: InputContext,
  doorbell: Doorbell,
): FastifyReply {
  const peer = peerName(raw.socket)
  const { status, code, details } = refusalOf(error, raw, context)
  doorbell.knocked(peer, code, details)
  const { message, help } = new LogboomError(code, { ...details, peer, input: context.name })
  if (status === 401) void reply.header('www-authenticate', 'Bearer realm="logboom"')
  if (status === 429 || status === 503) void reply.header('retry-after', LIMITS.retryAfterS)
  // What is left of the body is thrown away, so that the answer is read and the connection goes on.
  raw.resume()
  return reply.code(status).send({ code, message, help, details })
}

interface Answer {
  readonly status: number
  readonly code: KnockCode
  readonly details: ErrorDetails
}

function refusalOf(error: FastifyError | Error, raw: IncomingMessage, { log }: InputContext): Answer {
  if (error instanceof Refusal) return error
  if (error instanceof BodyFault) {
    const place = error.line === undefined ? `byte ${error.offset}` : `line ${error.line}, byte ${error.offset}`
    const line = error.line === undefined ? {} : { line: error.line }
    return { status: 400, code: 'LB-H001', details: { place, reason: error.message, offset: error.offset, ...line } }
  }
  const { statusCode = 500, code } = error as FastifyError
  // A type that is none, which never reaches the handler.
  if (statusCode === 415) return unknownType(raw.headers['content-type'] ?? '')
  if (code === 'ECONNRESET') return { status: 400, code: 'LB-H012', details: {} }
  if (statusCode < 500)
    return { status: statusCode, code: 'LB-H001', details: { place: 'byte 0', reason: error.message } }
  log.error({ err: error }, 'a request failed')
  return { status: 503, code: 'LB-H011', details: { reason: 'an internal error' } }
}

/** What Node cannot read as HTTP: another protocol, or HTTP that is broken. */
function tellStrangers(server: Server, doorbell: Doorbell): void {
  server.on('clientError', (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket) => {
    const spoken = recognise(error.rawPacket ?? Buffer.alloc(0))
    const peer = peerName(socket as { remoteAddress?: string })
    if (spoken !== undefined && spoken !== 'http') doorbell.stranger(peer, spoken, 'HTTP')
    else if (error.code !== 'ECONNRESET') doorbell.knocked(peer, 'LB-H001', { place: 'byte 0', reason: error.message })
    if (!socket.writable || error.code === 'ECONNRESET') socket.destroy()
    else socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  })
}
