/** The syslog input's configuration when nothing is set, on a free port; and datagrams to it. For tests only. */
import { createSocket } from 'node:dgram'
import { protocol } from '../../../protocols/syslog/syslog.ts'
import { type RigOptions, startRig } from '../input-rig.ts'

export function startSyslog(changes: object = {}, options: RigOptions = {}) {
  const listen = { host: '127.0.0.1', port: 0 }
  const limits = { message_size_limit: 65_536, receive_buffer: 262_144, connection_limit: 1_000 }
  const config = { listen, tag: 'syslog', timezone: 'utc', ...limits, allow: undefined, tls: undefined, ...changes }
  return startRig(protocol as never, config, { name: 'syslog', ...options })
}

/** Sends each as a datagram of its own. */
export async function sendDatagrams(port: number, ...datagrams: (string | Uint8Array)[]): Promise<void> {
  const socket = createSocket('udp4')
  for (const datagram of datagrams) {
    await new Promise<void>((resolve) => socket.send(datagram, port, '127.0.0.1', () => resolve()))
  }
  socket.close()
}
