/** A process that writes batches until it is killed, and says up to where it was promised. Run by crash.test.ts. */
import { output } from '../../../outputs/local/local.ts'
import { makeBatch } from '../../conformance/make-batch.ts'
import { contextOf, DEFAULT_CONFIG } from './local-store.ts'

const BATCH_EVENTS = 200
const [directory, from] = process.argv.slice(2)
const writer = await output.open(DEFAULT_CONFIG, contextOf(directory!))
const signal = new AbortController().signal
for (let position = Number(from); ; position += BATCH_EVENTS) {
  const events = Array.from({ length: BATCH_EVENTS }, (_, index) => ({ record: { n: `n${position + index}` } }))
  await writer.write(makeBatch([{ position, events }]), signal)
  process.stdout.write(`${position + BATCH_EVENTS}\n`)
}
