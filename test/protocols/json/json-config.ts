/** The JSON lines input's configuration as it is when nothing is set, on a free port. For tests only. */
import { protocol } from '../../../protocols/json/json.ts'
import { type RigOptions, startRig } from '../input-rig.ts'

export function startJson(changes: object = {}, options: RigOptions = {}) {
  const listen = { host: '127.0.0.1', port: 0 }
  const limits = { message_size_limit: 1_048_576, receive_buffer: 262_144, connection_limit: 1_000 }
  const config = { listen, tag: 'json', ...limits, allow: undefined, tls: undefined, ...changes }
  return startRig(protocol as never, config, { name: 'json', ...options })
}
