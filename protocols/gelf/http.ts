/**
 * GELF over HTTP: `POST /gelf` is answered 202 when the message is durable. What the body is packed in is told by its
 * first bytes, whatever Content-Encoding says: graypy sends zlib and calls it `gzip,deflate`.
 */
import { createServer, type Server } from 'node:http'
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { LogboomError } from '../../server/core/errors.ts'
import { MalformedError } from '../../server/core/msgpack.ts'
import { EntryWriter } from '../encoding/entry-writer.ts'
import { acceptHttp, watchTimeLimits } from '../listening/accept-http.ts'
import { createAllowList } from '../listening/allow-list.ts'
import { createDoorbell, type Doorbell } from '../listening/doorbell.ts'
import { recognise } from '../listening/first-bytes.ts'
import { listenStream, peerName } from '../listening/listen-stream.ts'
import type { InputContext, Listener } from '../protocol.ts'
import type { GelfConfig } from './gelf.ts'
import { Fault, LIMITS, malformed } from './limits.ts'
import { MessageReader, skipBetween } from './message.ts'
import { unpack } from './unpack.ts'

const PATH = '/gelf'

/** Throws LogboomError LB-S001 when the address is taken, LB-S002 when it may not be opened, LB-S010. */
export async function listenHttp(config: GelfConfig, context: InputContext): Promise<Listener> {
  const doorbell = createDoorbell(context)
  const { app, server } = await createApp(config, context, doorbell)
  const stream = await listenStream({
    listen: config.listen,
    key: `inputs.${context.name}.listen`,
    tls: config.tls,
    allow: config.allow && createAllowList(config.allow),
    connectionLimit: config.connection_limit,
    context,
    accept: (socket) => acceptHttp(server, socket, LIMITS.closingMs),
    knocked: ({ peer, code, details }) => doorbell.knocked(peer, code, details),
  })
  const close = async () => {
    server.closeIdleConnections()
    await stream.close()
    await app.close()
  }
  let closing: Promise<void> | undefined
  return {
    addresses: stream.addresses.map((address) => address.replace(/ tcp$/, ' http').replace(/ tls$/, ' https')),
    reload: () => stream.reload(),
    close: () => (closing ??= close()),
  }
}

interface App {
  readonly app: FastifyInstance
  /** Is given its connections: it listens nowhere itself. */
  readonly server: Server
}

async function createApp(config: GelfConfig, context: InputContext, doorbell: Doorbell): Promise<App> {
  const limits = { headersTimeout: LIMITS.headersMs, requestTimeout: LIMITS.requestMs, keepAliveTimeout: LIMITS.idleMs }
  let server: Server | undefined
  const app = fastify({
    logger: false,
    bodyLimit: config.message_size_limit,
    serverFactory: (handler) => {
      server = createServer({ ...limits, connectionsCheckingInterval: LIMITS.headersMs / 2 }, handler)
      return server
    },
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  addRoutes(app, createTaker(config, context))
  app.addHook('onRequest', createLimit(config.message_size_limit))
  const by = { config, context, doorbell }
  app.setErrorHandler<FastifyError | Error>((error, request, reply) => answer(error, request, reply, by))
  tellStrangers(server!, doorbell)
  await app.ready()
  watchTimeLimits(server!)
  return { app, server: server! }
}

type Take = (body: Buffer, peer: string) => Promise<void>

function addRoutes(app: FastifyInstance, take: Take): void {
  app.post(PATH, async (request, reply) => {
    await take((request.body as Buffer | undefined) ?? Buffer.alloc(0), peerName(request.socket))
    return reply.code(202).send()
  })
  app.options(PATH, async (_request, reply) => reply.code(200).header('allow', 'POST, OPTIONS').send())
  app.setNotFoundHandler(async ({ url }, reply) => {
    const isKnown = url.replace(/\?.*$/, '') === PATH
    return isKnown ? reply.code(405).header('allow', 'POST, OPTIONS').send() : reply.code(404).send()
  })
}

/** Resolves once the messages of a body are durable. Rejects with Fault, MalformedError, or what the buffer says. */
function createTaker({ tag, decompression_size_limit }: GelfConfig, { emit, stats, clock }: InputContext): Take {
  const tagBytes = Buffer.from(tag)
  const reader = new MessageReader()
  return async (body, peer) => {
    stats.bytes += body.length
    const text = unpack(body, decompression_size_limit)
    const to = new EntryWriter(text.length + 64)
    let count = 0
    for (let at = skipBetween(text, 0, text.length); at < text.length; at = skipBetween(text, at, text.length)) {
      at = reader.read(text, at, text.length, to, clock.now())
      count += 1
    }
    if (count === 0) throw malformed('it is empty')
    await emit({ tag: tagBytes, packed: to.bytes.subarray(0, to.length), count, peer })
    stats.events += count
  }
}

/** Bodies of all requests together have a limit; a request that has no room for its own is told to come again. */
function createLimit(bodyBytes: number) {
  let claimed = 0
  return async ({ headers }: FastifyRequest, { raw }: FastifyReply): Promise<void> => {
    const claim = Math.min(Number(headers['content-length'] ?? bodyBytes) || 0, bodyBytes)
    if (claimed + claim > LIMITS.bodiesBytes) throw new Fault('LB-G006', { reason: 'too many requests at a time' })
    claimed += claim
    raw.once('close', () => {
      claimed -= claim
    })
  }
}

interface Answering {
  readonly config: GelfConfig
  readonly context: InputContext
  readonly doorbell: Doorbell
}

function answer(error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply, by: Answering) {
  const { context, doorbell } = by
  const peer = peerName(request.socket)
  const fault = faultOf(error, by)
  doorbell.knocked(peer, fault.code, fault.details)
  const { message, help } = new LogboomError(fault.code, { ...fault.details, peer, input: context.name })
  const status = fault.code === 'LB-G006' ? 503 : fault.code === 'LB-G003' ? 400 : 413
  if (status === 503) void reply.header('retry-after', LIMITS.retryAfterS)
  return reply.code(status).send({ code: fault.code, message, help })
}

function faultOf(error: FastifyError | Error, { config, context }: Answering): Fault {
  if (error instanceof Fault) return error
  if (error instanceof MalformedError) return malformed(error.message)
  const { statusCode, code } = error as FastifyError
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new Fault('LB-G004', { limit: config.message_size_limit })
  if (statusCode !== undefined && statusCode < 500) return malformed(error.message)
  context.log.debug({ reason: error.message }, 'a request failed')
  return new Fault('LB-G006', { reason: error.message })
}

/** What Node cannot read as HTTP: another protocol, or HTTP that is broken. */
function tellStrangers(server: Server, doorbell: Doorbell): void {
  server.on('clientError', (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket) => {
    const spoken = recognise(error.rawPacket ?? Buffer.alloc(0))
    const peer = peerName(socket as { remoteAddress?: string })
    if (spoken !== undefined && spoken !== 'http') doorbell.stranger(peer, spoken, 'GELF over HTTP')
    else if (error.code !== 'ECONNRESET') doorbell.knocked(peer, 'LB-G003', { reason: error.message })
    if (!socket.writable || error.code === 'ECONNRESET') socket.destroy()
    else socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  })
}
