/** An HTTP server that answers bulk requests as its script says, and remembers the bodies. Only for tests. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'

export interface SeenRequest {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Answers one request; the body is already read. */
export type Answer = (response: ServerResponse, request: SeenRequest) => void

export interface FakeSearchServer {
  readonly url: string
  readonly requests: readonly SeenRequest[]
  /** What is given to the requests that come next; without one, every item is created. */
  readonly script: Answer[]
  /** Documents by _id, with the action's _index, in the order they came. */
  readonly documents: ReadonlyMap<string, { readonly index: string; readonly text: string }>
  close(): Promise<void>
}

export const answerJson =
  (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }

/** With `tls` it speaks https. */
export async function startFakeSearchServer(tls?: ServerOptions): Promise<FakeSearchServer> {
  const requests: SeenRequest[] = []
  const script: Answer[] = []
  const documents = new Map<string, { index: string; text: string }>()

  /** As Elasticsearch does: `create` with an _id that is known is a 409. */
  const create: Answer = (response, { body }) => {
    const lines = body.split('\n').slice(0, -1)
    const items = Array.from({ length: lines.length / 2 }, (_, at) => {
      const { _index: index, _id: id } = JSON.parse(lines[at * 2]!).create
      if (documents.has(id)) return { create: { status: 409, error: { type: 'version_conflict_engine_exception' } } }
      documents.set(id, { index, text: lines[at * 2 + 1]! })
      return { create: { status: 201 } }
    })
    const hasErrors = items.some(({ create: { status } }) => status !== 201)
    answerJson(200, { errors: hasErrors, items })(response, requests.at(-1)!)
  }

  const listener = (message: IncomingMessage, response: ServerResponse) => {
    const parts: Buffer[] = []
    message.on('data', (part: Buffer) => parts.push(part))
    message.on('error', () => {})
    message.on('end', () => {
      const request = { url: message.url!, headers: message.headers, body: Buffer.concat(parts).toString() }
      requests.push(request)
      const answer = script.shift() ?? create
      answer(response, request)
    })
  }
  const server = tls === undefined ? createServer(listener) : createSecureServer(tls, listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    script,
    documents,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
