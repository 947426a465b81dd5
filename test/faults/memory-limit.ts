/** A memory cgroup of its own for one process, v1 or v2: the kernel kills what grows past it. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { Unavailable } from '../services/launchers/availability.ts'

const V1 = '/sys/fs/cgroup/memory'
const V2 = '/sys/fs/cgroup'

export interface MemoryLimit {
  /** Puts a process into it. */
  hold(pid: number): void
  limit(mebibytes: number): void
}

/** Throws Unavailable where there is no memory cgroup that may be written. */
export function createMemoryLimit(t: { after(end: () => unknown): void }): MemoryLimit {
  const isV1 = existsSync(path.join(V1, 'memory.limit_in_bytes'))
  const folder = path.join(isV1 ? V1 : V2, `logboom-test-${process.pid}`)
  const file = path.join(folder, isV1 ? 'memory.limit_in_bytes' : 'memory.max')
  try {
    if (!isV1 && !readFileSync(path.join(V2, 'cgroup.subtree_control'), 'utf8').includes('memory'))
      throw new Error('off')
    mkdirSync(folder)
  } catch (error) {
    throw new Unavailable(`no memory cgroup: ${(error as Error).message}`)
  }
  t.after(() => {
    try {
      rmdirSync(folder)
    } catch {
      // What was killed in it has not quite gone.
    }
  })
  return {
    hold: (pid) => writeFileSync(path.join(folder, 'cgroup.procs'), `${pid}`),
    limit: (mebibytes) => writeFileSync(file, `${mebibytes * 2 ** 20}`),
  }
}
