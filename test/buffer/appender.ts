/**
 * A process that appends for ever and prints what was acknowledged; `kill.test.ts` and `syscall-order.test.ts` end it.
 */
import { writeSync } from 'node:fs'
import { openBuffer, stream } from './harness.ts'

const [folder, first, count] = [process.argv[2]!, Number(process.argv[3]), Number(process.argv[4])]
const PRODUCERS = 4

const buffer = await openBuffer(folder, { chunkSizeBytes: 20_000 })
let next = first
async function produce(producer: number): Promise<void> {
  while (next < first + count) {
    const number = next
    next += 1
    const mark = { source: `producer/${producer}`, place: String(number) }
    await buffer.append(stream(number, 1, { chunkId: `c${number}`, padBytes: (number * 613) % 9_000, mark }))
    writeSync(1, `acked ${number}\n`)
  }
}
await Promise.all(Array.from({ length: PRODUCERS }, (_, producer) => produce(producer)))
await buffer.close()
