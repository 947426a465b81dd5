/** An HTTP server in front of a sink that answers in its place, cuts its answers, or shows another certificate. */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, type ServerOptions } from 'node:https'
import type { Socket } from 'node:net'

export interface Reply {
  readonly status: number
  readonly body: object
  readonly headers?: Readonly<Record<string, string>>
}

/** truncate: the sink has the request, half of its answer comes back. lose: nothing does. */
export type GateAnswer = 'truncate' | 'lose' | Reply

export interface AnswerGate {
  readonly url: string
  /** Answers given in place of the sink's, so far. */
  readonly given: number
  /** Requests for which it says something are answered so; all others go to the sink. */
  decide(how: (body: string) => GateAnswer | undefined): void
  /** Shows another certificate from now on; connections are closed. */
  show(certificate: ServerOptions): void
  close(): Promise<void>
}

/** With a certificate it speaks https, and counts nothing that comes without. */
export async function startAnswerGate(target: string, tls?: ServerOptions): Promise<AnswerGate> {
  const sockets = new Set<Socket>()
  let decide: (body: string) => GateAnswer | undefined = () => undefined
  let given = 0
  const handle = (from: IncomingMessage, response: ServerResponse) => {
    const parts: Buffer[] = []
    from.on('error', () => {})
    from.on('data', (part: Buffer) => parts.push(part))
    from.on('end', () => {
      const body = Buffer.concat(parts)
      const answer = decide(body.toString('latin1'))
      if (answer !== undefined) given += 1
      if (typeof answer === 'object') reply(response, answer)
      else passOn(from, body, response, { target, answer })
    })
  }
  const secure = tls && createSecureServer(tls, handle)
  const server = secure ?? createServer(handle)
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).once('close', () => sockets.delete(socket))
  })
  const closeAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    url: tls === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`,
    get given() {
      return given
    },
    decide: (how) => {
      decide = how
    },
    show(certificate) {
      secure?.setSecureContext(certificate)
      closeAll()
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        closeAll()
      }),
  }
}

function reply(response: ServerResponse, { status, body, headers }: Reply): void {
  const own = { 'content-type': 'application/json', 'x-elastic-product': 'Elasticsearch', ...headers }
  response.writeHead(status, own).end(JSON.stringify(body))
}

interface PassingOn {
  readonly target: string
  readonly answer: 'truncate' | 'lose' | undefined
}

function passOn(from: IncomingMessage, body: Buffer, response: ServerResponse, { target, answer }: PassingOn): void {
  const { method, headers, url } = from
  const own = request(new URL(url ?? '/', target), { method, headers }, (answered) => {
    const parts: Buffer[] = []
    answered.on('data', (part: Buffer) => parts.push(part))
    answered.on('end', () => {
      if (answer === 'lose') return void response.socket?.destroy()
      const bytes = Buffer.concat(parts)
      const { 'content-length': _, ...rest } = answered.headers
      // Whole for HTTP, and half a JSON text for whoever reads it.
      const shown = answer === 'truncate' ? bytes.subarray(0, bytes.length / 2) : bytes
      response.writeHead(answered.statusCode ?? 500, { ...rest, 'content-length': shown.length }).end(shown)
    })
  })
  own.on('error', () => response.destroy())
  own.end(body)
}
