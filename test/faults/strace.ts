/** The program under strace: killed at a system call, or lied to by one. */
import type { StartOptions } from '../e2e/program.ts'

/**
 * Injects into the n-th call of that name, counted for each thread of its own: with one thread for the files, calls
 * are counted as the program makes them. `what` as in strace's manual: `signal=SIGKILL`, `error=EIO`, `retval=7`.
 * Without --seccomp-bpf, which is faster but loses the count (strace 6.1 injects into the first call or never).
 */
export function injected(calls: string, what: string, when: number | string, traceFile = '/dev/null'): StartOptions {
  const flags = ['-D', '-f', '-qq', '-yy', '-s', '64', '-o', traceFile]
  const inject = `inject=${calls}:${what}:when=${when}`
  const trace = traceFile === '/dev/null' ? calls : [calls, ...SYNCS].join(',')
  return { wrap: ['strace', ...flags, '-e', `trace=${trace}`, '-e', inject], env: { UV_THREADPOOL_SIZE: '1' } }
}

const SYNCS = ['fsync', 'fdatasync']
