/**
 * A process that writes numbered events as a delivery does, with a cursor that is behind, until all are stored or a
 * failpoint kills it. Run by crash.test.ts.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { makeBatch } from '../../conformance/make-batch.ts'
import { openWriter, siteIn } from './folder-store.ts'

const [folder, events, batchEvents] = process.argv.slice(2)
const end = Number(events)
const step = Number(batchEvents)
const cursorFile = path.join(folder!, 'cursor')
const signal = new AbortController().signal

const writer = await openWriter(siteIn(folder!))
let position = existsSync(cursorFile) ? Number(readFileSync(cursorFile, 'utf8')) : 0
for (let batch = 0; position < end; batch += 1) {
  const count = Math.min(step, end - position)
  const records = Array.from({ length: count }, (_, index) => ({ record: { n: position + index } }))
  const half = Math.floor(count / 2)
  const streams = [
    { tag: 'a', position, events: records.slice(0, half) },
    { tag: 'b', position: position + half, events: records.slice(half) },
  ]
  await writer.write(makeBatch(streams), signal)
  position += count
  // Every third batch: the two before it come again after a crash.
  if (batch % 3 === 2) writeFileSync(cursorFile, String(position))
}
await writer.close()
