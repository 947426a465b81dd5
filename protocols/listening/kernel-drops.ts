/**
 * Datagrams that the kernel has thrown away since a socket's memory was full: what /proc/net/udp says of our sockets.
 *
 *      sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 *    1145: 0100007F:921E 00000000:0000 07 0000…:0000… 00:00000000 00000000     0        0 20994 2 …          4844
 *                                                                               [Linux, proc(5); net/ipv4/udp.c]
 */
import { readdir, readFile, readlink } from 'node:fs/promises'

const TABLES = ['/proc/net/udp', '/proc/net/udp6'] as const
const LOCAL = 1
const INODE = 9
const DROPS = 12

export interface UdpRow {
  readonly port: number
  readonly inode: string
  readonly drops: number
}

/** The rows of a table; the address before the port, which may be of either family, is not looked at. */
export function readUdpTable(text: string): UdpRow[] {
  return text.split('\n').flatMap((line) => {
    const columns = line.trim().split(/\s+/)
    const port = Number.parseInt(columns[LOCAL]?.split(':')[1] ?? '', 16)
    const drops = Number(columns[DROPS])
    return Number.isNaN(port) || Number.isNaN(drops) ? [] : [{ port, inode: columns[INODE]!, drops }]
  })
}

/** Counts the drops of this process's sockets on one port. */
export class KernelDrops {
  readonly #port: number
  #own: ReadonlySet<string> | undefined
  #seen = 0

  constructor(port: number) {
    this.#port = port
  }

  /** Drops since the last call; 0 where there is no /proc. */
  async since(): Promise<number> {
    const rows = (await Promise.all(TABLES.map(tableOf))).flat().filter(({ port }) => port === this.#port)
    this.#own ??= await ownInodes(rows)
    const drops = rows.reduce((sum, { inode, drops }) => sum + (this.#own!.has(inode) ? drops : 0), 0)
    const more = drops - this.#seen
    this.#seen = drops
    return Math.max(more, 0)
  }
}

async function tableOf(file: string): Promise<UdpRow[]> {
  return readUdpTable(await readFile(file, 'latin1').catch(() => ''))
}

/** Of these the ones that this process has open: another may have the same port on another address. */
async function ownInodes(rows: readonly UdpRow[]): Promise<ReadonlySet<string>> {
  const wanted = new Set(rows.map(({ inode }) => inode))
  const own = new Set<string>()
  for (const name of await readdir('/proc/self/fd').catch(() => [])) {
    const inode = /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/self/fd/${name}`).catch(() => ''))?.[1]
    if (inode !== undefined && wanted.has(inode)) own.add(inode)
  }
  return own
}
