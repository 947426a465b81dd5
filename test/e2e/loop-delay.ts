/** F36: nobody's bytes may keep the event loop of the program waiting, and with it everybody else. */
import assert from 'node:assert/strict'
import type { Program } from './program.ts'

const LIMIT_S = 0.2

/**
 * Watches from now on. What is given asserts that nothing since it was called last kept the event loop for longer than
 * 200 ms, the time apart for which the machine had no CPU for the program.
 */
export async function watchLoopDelay(program: Program): Promise<() => Promise<void>> {
  const look = async () => ({
    longest: await program.metric('logboom_event_loop_delay_seconds'),
    waited: program.cpuWaitSeconds(),
  })
  let before = await look()
  return async () => {
    const now = await look()
    const waited = now.waited - before.waited
    // The metric remembers for up to a minute: only what is longer than all that was known is new.
    const isNew = now.longest > before.longest
    before = now
    if (isNew) assert.ok(now.longest - waited < LIMIT_S, `${now.longest} s, of them ${waited} s without a CPU at most`)
  }
}
