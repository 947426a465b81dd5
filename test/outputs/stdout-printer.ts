/** Run by stdout.test.ts in a process of its own: prints 4 batches of 1,000 lines, or says why it cannot. */
import { output } from '../../outputs/stdout.ts'
import { makeBatch } from '../conformance/make-batch.ts'
import { outputContext } from '../conformance/output.ts'

const never = new AbortController().signal
const writer = await output.open({ shape: 'document' }, outputContext())
try {
  for (let n = 0; n < 4_000; n += 1_000) {
    const events = Array.from({ length: 1_000 }, (_, index) => ({ record: { n: n + index, log: 'x'.repeat(200) } }))
    await writer.write(makeBatch([{ position: n, events }]), never)
  }
} catch (error) {
  const { name, fault, reason } = error as { name: string; fault: string; reason: string }
  process.stderr.write(`${name} ${fault} ${reason}\n`)
}
