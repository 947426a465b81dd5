/** Which TCP connections a process has: what the kernel says of its sockets. [Linux, proc(5)] */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

const ESTABLISHED = '01'

/** Established ones of the process to this port of another one. */
export function connectionsTo(pid: number, port: number): number {
  const own = new Set(readdirSync(`/proc/${pid}/fd`).flatMap((fd) => inodeOf(pid, fd)))
  const rows = ['tcp', 'tcp6'].flatMap((table) => readFileSync(`/proc/${pid}/net/${table}`, 'latin1').split('\n'))
  const remote = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , to, state, , , , , , inode]) => to?.endsWith(remote) && state === ESTABLISHED && own.has(inode!))
    .length
}

function inodeOf(pid: number, fd: string): string[] {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.slice(1) ?? []
  } catch {
    // It was closed meanwhile.
    return []
  }
}
