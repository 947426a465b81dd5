/** Receivers and processors of one topic, each the real program on its own, and a sink that tells ids apart. */
import type { TestContext } from 'node:test'
import { createSite, type Program, type Site } from '../e2e/program.ts'
import { type BulkSink, startBulkSink } from '../load/bulk-sink.ts'

export interface Fleet {
  readonly sink: BulkSink
  receiver(): Promise<Site>
  processor(): Promise<Site>
}

export async function createFleet(t: TestContext, broker: string, topic: string, own: object = {}): Promise<Fleet> {
  const sink = await startBulkSink({ keyed: true })
  t.after(() => sink.close())
  const buffer = { type: 'kafka', brokers: broker, topic, group: topic, key: 'none', request_timeout: '5s', ...own }
  const search = { type: 'elasticsearch', match: '**', url: sink.url, index: 'logs', retry_max_interval: '2s' }
  return {
    sink,
    receiver: () => createSite(t, { outputs: {}, buffer }),
    processor: () => createSite(t, { inputs: {}, outputs: { search }, buffer }),
  }
}

/** Waits until the sink has so many documents, and the processors are done with what they know of. */
export async function untilStored(sink: BulkSink, count: number, program: Program, limitMs = 180_000): Promise<void> {
  const told = () => `${count} documents stored (${sink.stats.uniqueIds})`
  await program.until(told(), () => sink.stats.uniqueIds >= count, limitMs)
}
