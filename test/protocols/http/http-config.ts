/** The HTTP input's configuration as it is when nothing is set, on a free port; and requests to it. For tests only. */
import { protocol } from '../../../protocols/http/http.ts'
import { type RigOptions, startRig } from '../input-rig.ts'

const NOTHING = { tag: undefined, add_tag_prefix: undefined, token: undefined, allow: undefined, tls: undefined }

export async function startHttp(changes: object = {}, options: RigOptions = {}) {
  const listen = { host: '127.0.0.1', port: 0 }
  const limits = { body_size_limit: 2 ** 25, decompression_size_limit: 2 ** 28, connection_limit: 1_000 }
  const config = { listen, ...NOTHING, cors_allow_origins: [], ...limits, ...changes }
  const rig = await startRig(protocol as never, config, { name: 'http', ...options })
  const url = `http://127.0.0.1:${rig.port}`
  /** Posts a body, by default as JSON. */
  const post = async (
    path: string,
    body: string | Uint8Array | ReadableStream,
    headers: Record<string, string> = {},
  ) => {
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      body: body as BodyInit,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body instanceof ReadableStream && { duplex: 'half' }),
    } as RequestInit)
    const answer = (await response.json()) as Record<string, unknown>
    return { status: response.status, answer, headers: response.headers }
  }
  return { ...rig, url, post }
}
