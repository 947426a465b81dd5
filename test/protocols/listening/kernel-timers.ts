/** What the kernel says of the sockets of a port of this machine: /proc/net/tcp. For tests only. */
import { readFileSync } from 'node:fs'

const TICKS_PER_SECOND = 100
const ESTABLISHED = '01'
/** `tr`: the timer that runs is that of keepalive. */
const KEEPALIVE = 2

/** For each open socket of a server: in how many seconds the kernel asks after the peer; undefined: never. */
export function keepaliveSeconds(port: number): (number | undefined)[] {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const rows = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
  const open = rows.filter((row) => row[1]?.endsWith(local) && row[3] === ESTABLISHED)
  return open.map((row) => {
    const [kind, ticks] = row[5]!.split(':').map((text) => Number.parseInt(text, 16))
    return kind === KEEPALIVE ? ticks! / TICKS_PER_SECOND : undefined
  })
}
