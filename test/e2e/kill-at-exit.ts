/** Nothing that a test has started outlives it, however it ends. */
import type { ChildProcess } from 'node:child_process'

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})
// Without a listener a signal ends the process and `exit` is never told.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1))

export function killAtExit(child: ChildProcess): void {
  running.add(child)
  child.once('close', () => running.delete(child))
}
