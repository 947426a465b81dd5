/**
 * An HTTP server that answers like Elasticsearch's bulk API and counts what came; it keeps no document.
 * For throughput, loss and fault runs, where a real server would be the bottleneck or would not fail on demand.
 *
 *   counting (default)   newline pairs of the body, as they pass
 *   keyed                `create` with a known _id is answered 409; how often each "id=CC-NNNNNNNNN" was stored
 *
 *   GET  /__stats                        the counts
 *   GET  /__seen?connection=CC           byte n: how often number n of that connection was stored
 *   POST /__fault?status=503&count=10    refuses the next ten requests with that status
 *   POST /__cut?count=1                  stores the next request and closes its connection without an answer
 *   POST /__down?ms=20000                cuts all connections and refuses new ones for so long
 *   POST /__delay?ms=100                 answers later
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { parseArgs } from 'node:util'
import { gunzipSync } from 'node:zlib'

const NEWLINE = 10
/** No line of a bulk body is shorter: `{"create":{}}`, or a document with a time. */
const LINE_BYTES_MIN = 12
/** Numbers of a connection that are told apart. */
const NUMBERS_MAX = 1 << 24
const CONNECTIONS_MAX = 100

export interface SinkStats {
  requests: number
  documents: number
  bytes: number
  uniqueIds: number
  duplicateIds: number
  conflicts: number
}

export interface BulkSink {
  readonly url: string
  readonly stats: SinkStats
  /** How often each number of a connection was stored, by number. */
  seen(connection: number): Uint8Array
  /** Refuses the next requests with this status. */
  fault(status: number, count: number): void
  /** Stores the next requests and closes their connections without an answer. */
  cut(count: number): void
  /** Closes all connections and the port for so long; resolves when it is open again. */
  down(ms: number): Promise<void>
  delay(ms: number): void
  close(): Promise<void>
}

export interface SinkOptions {
  readonly port?: number
  readonly keyed?: boolean
  /** Keyed: sees each document before it is stored, as latin1 text; false refuses it for good (400). */
  readonly accepts?: (document: string) => boolean
}

export async function startBulkSink(options: SinkOptions = {}): Promise<BulkSink> {
  const stats = { requests: 0, documents: 0, bytes: 0, uniqueIds: 0, duplicateIds: 0, conflicts: 0 }
  const store = options.keyed === true ? createStore(stats, options.accepts) : undefined
  const faults = { status: 503, left: 0, cuts: 0, delayMs: 0 }
  let port = options.port ?? 0

  async function answerBulk(request: IncomingMessage, response: ServerResponse): Promise<void> {
    stats.requests += 1
    const refused = faults.left > 0
    if (refused) faults.left -= 1
    const answer = await takeBody(request, refused ? { add: () => {}, finish: () => '{}' } : takerOf(request))
    if (faults.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, faults.delayMs))
    if (!refused && faults.cuts > 0) {
      faults.cuts -= 1
      request.socket.destroy()
      return
    }
    reply(response, refused ? faults.status : 200, answer)
  }
  function takerOf(request: IncomingMessage): BodyTaker {
    const isGzip = request.headers['content-encoding'] === 'gzip'
    return store !== undefined || isGzip ? wholeBody(isGzip, stats, store) : countingBody(stats)
  }
  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://sink')
    if (request.method === 'POST' && url.pathname.endsWith('/_bulk')) return answerBulk(request, response)
    request.resume()
    if (url.pathname.startsWith('/__')) return control(url, response)
    reply(response, 200, ROOT)
  }
  function control(url: URL, response: ServerResponse): void {
    const number = (name: string, otherwise: number) => Number(url.searchParams.get(name) ?? otherwise)
    const commands: Readonly<Record<string, () => string | Uint8Array>> = {
      '/__stats': () => JSON.stringify(stats),
      '/__seen': () => sink.seen(number('connection', 0)),
      '/__fault': () => done(sink.fault(number('status', 503), number('count', 1))),
      '/__cut': () => done(sink.cut(number('count', 1))),
      '/__delay': () => done(sink.delay(number('ms', 100))),
      '/__down': () => done(response.once('finish', () => sink.down(number('ms', 10_000)))),
    }
    const command = commands[url.pathname]
    reply(response, command === undefined ? 404 : 200, command?.() ?? '{}')
  }

  const server = createServer((request, response) => void handle(request, response).catch(() => request.destroy()))
  server.keepAliveTimeout = 0
  port = await listen(server, port)
  const sink: BulkSink = {
    url: `http://127.0.0.1:${port}`,
    stats,
    seen: (connection) => store?.seen(connection) ?? new Uint8Array(0),
    fault: (status, count) => Object.assign(faults, { status, left: count }),
    cut: (count) => Object.assign(faults, { cuts: count }),
    delay: (ms) => Object.assign(faults, { delayMs: ms }),
    down: async (ms) => {
      await closeServer(server)
      await new Promise((resolve) => setTimeout(resolve, ms))
      await listen(server, port)
    },
    close: () => closeServer(server),
  }
  return sink
}

const ROOT = JSON.stringify({
  name: 'sink',
  cluster_name: 'sink',
  version: { number: '9.0.0', build_flavor: 'default' },
  tagline: 'You Know, for Search',
})
const NO_ERRORS = '{"errors":false}'
const done = (_: unknown) => '{}'

function reply(response: ServerResponse, status: number, body: string | Uint8Array): void {
  const type = typeof body === 'string' ? 'application/json' : 'application/octet-stream'
  const headers = { 'content-type': type, 'content-length': body.length, 'x-elastic-product': 'Elasticsearch' }
  response.writeHead(status, headers).end(body)
}

/** What becomes of a request's body. `finish` gives the answer. */
interface BodyTaker {
  add(bytes: Buffer): void
  finish(): string
}

function takeBody(request: IncomingMessage, taker: BodyTaker): Promise<string> {
  return new Promise((resolve, reject) => {
    request.on('data', (bytes: Buffer) => taker.add(bytes))
    request.on('end', () => resolve(taker.finish()))
    request.on('error', reject)
    request.on('close', () => reject(new Error('cut')))
  })
}

/** Counts as the bytes pass, and keeps none. What is cut off half way does not count. */
function countingBody(stats: SinkStats): BodyTaker {
  let lines = 0
  let bytes = 0
  return {
    add(chunk) {
      bytes += chunk.length
      lines += countNewlines(chunk)
    },
    finish() {
      stats.bytes += bytes
      stats.documents += lines >> 1
      return NO_ERRORS
    },
  }
}

function countNewlines(bytes: Uint8Array): number {
  let lines = 0
  let at = bytes.indexOf(NEWLINE)
  // A chunk may begin in the middle of a line, so only the lines after its first newline have a least length.
  for (; at !== -1; at = bytes.indexOf(NEWLINE, at + LINE_BYTES_MIN)) lines += 1
  return lines
}

function wholeBody(isGzip: boolean, stats: SinkStats, store: Store | undefined): BodyTaker {
  const chunks: Buffer[] = []
  return {
    add: (chunk) => chunks.push(chunk),
    finish() {
      const body = isGzip ? gunzipSync(Buffer.concat(chunks)) : Buffer.concat(chunks)
      stats.bytes += body.length
      if (store !== undefined) return store.add(body)
      stats.documents += countNewlines(body) >> 1
      return NO_ERRORS
    },
  }
}

interface Store {
  /** Stores the documents of a bulk body and returns the answer. */
  add(body: Buffer): string
  seen(connection: number): Uint8Array
}

const CONFLICT = '{"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":""}}}'
const REFUSED = '{"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"asked to"}}}'

function createStore(stats: SinkStats, accepts: (document: string) => boolean = () => true): Store {
  const keys = new Set<string>()
  const numbers = new Map<number, Uint8Array>()
  const mark = (connection: number, number: number) => {
    if (connection >= CONNECTIONS_MAX || number >= NUMBERS_MAX) return
    const known = numbers.get(connection) ?? new Uint8Array(NUMBERS_MAX)
    numbers.set(connection, known)
    const before = known[number]!
    known[number] = Math.min(255, before + 1)
    if (before === 0) stats.uniqueIds += 1
    else stats.duplicateIds += 1
  }
  return {
    add(body) {
      const lines = body.toString('latin1').split('\n')
      const items: string[] = []
      let conflicts = 0
      let refused = 0
      for (let i = 0; i + 1 < lines.length; i += 2) {
        const key = /"_id":"([^"]*)"/.exec(lines[i]!)?.[1]
        if (key !== undefined && keys.has(key)) {
          conflicts += 1
          items.push(CONFLICT)
          continue
        }
        if (!accepts(lines[i + 1]!)) {
          refused += 1
          items.push(REFUSED)
          continue
        }
        if (key !== undefined) keys.add(key)
        stats.documents += 1
        items.push('{"create":{"status":201}}')
        const id = /\bid=(\d\d)-(\d{9})/.exec(lines[i + 1]!)
        if (id !== null) mark(Number(id[1]), Number(id[2]))
      }
      stats.conflicts += conflicts
      return conflicts + refused === 0 ? NO_ERRORS : `{"errors":true,"items":[${items.join(',')}]}`
    },
    seen(connection) {
      const known = numbers.get(connection) ?? new Uint8Array(0)
      return known.subarray(0, known.findLastIndex((count) => count > 0) + 1)
    },
  }
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
  })
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { port: { type: 'string' }, keyed: { type: 'boolean', default: false } } })
  const sink = await startBulkSink({ port: Number(values.port ?? 0), keyed: values.keyed })
  process.stdout.write(`${JSON.stringify({ url: sink.url })}\n`)
}
