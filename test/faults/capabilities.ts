/** What a fault needs of the machine, asked for by name: got, or the fault is reported as absent. */
import type { TestContext } from 'node:test'
import { needPrograms, Unavailable } from '../services/launchers/availability.ts'
import { ABSENT } from './absent.ts'
import { reportFault } from './report.ts'

/** True when the fault can be made here. Else the test is skipped, or fails in CI if `absent.ts` does not list it. */
export function canMake(t: TestContext, fault: string, get: () => unknown): boolean {
  try {
    get()
    return true
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error
    if (process.env.CI === 'true' && ABSENT[fault] === undefined) throw error
    reportFault({ fault, absent: error.message })
    t.skip(error.message)
    return false
  }
}

export const needStrace = () => needPrograms({ strace: 'strace' })

/** File systems of one's own: root, and the programs that make them. */
export function needDisks(): void {
  if (process.getuid?.() !== 0) throw new Unavailable('mounting a file system needs root')
  needPrograms({ 'mkfs.ext4': 'e2fsprogs', mount: 'mount', losetup: 'mount', python3: 'python3-minimal' })
}
