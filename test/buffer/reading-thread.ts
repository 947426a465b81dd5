/** The thread of an output in miniature: opens its seat as a delivery does, and tells which events it got. */
import { parentPort, workerData } from 'node:worker_threads'
import type { OpenReader, ReaderSeat } from '../../buffer/buffer.ts'
import { numbersOf } from './harness.ts'

const { seat, events } = workerData as { seat: ReaderSeat; events: number }
const { openReader } = (await import(seat.module)) as { openReader: OpenReader }
const reader = await openReader(seat, (tag) => tag === 'app.web')
const limits = { maxBytes: 1 << 16, maxEvents: 100, maxAgeMs: 5 }
const numbers: number[] = []
parentPort!.on('message', () => {})
parentPort!.postMessage('open')
while (numbers.length < events) {
  const batch = await reader.read(limits, new AbortController().signal)
  numbers.push(...numbersOf(batch))
  reader.commit(batch)
}
await reader.close()
parentPort!.postMessage(numbers)
parentPort!.close()
