/** Gives back, once, what starting has left over; V8 by itself would keep it until there is much more. */
import { Session } from 'node:inspector/promises'

/** Takes some 50 ms, in which the thread hears nothing: so before it has anything to do. */
export async function collectGarbage(): Promise<void> {
  const session = new Session()
  session.connect()
  await session.post('HeapProfiler.collectGarbage')
  session.disconnect()
}
