/** What a reader of Kafka refuses; what it reads is shown against a real broker (`test/services`). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Reader } from '../../../buffer/buffer.ts'
import { openReader } from '../../../buffer/kafka/reader.ts'
import { loadConfig } from '../../../server/config/load.ts'
import { rewind } from '../../../server/delivery/rewind.ts'
import { withFiles } from '../../config/load-text.ts'

/** Nobody listens there. */
const BUFFER = 'buffer: { type: kafka, brokers: ["127.0.0.1:1"], topics: [info, other], default_topic: other }'

const WAYS: Readonly<Record<string, (reader: Reader) => Promise<unknown>>> = {
  'a replay': (reader) => rewind(reader, { position: 0 }),
  'the engine, before a replay': (reader) => reader.skip(0),
  seek: (reader) => reader.seek(0),
}

test('where an output is in its topics is not moved, and the error says what moves it', async () => {
  const text = `${BUFFER}\ninputs: {}\noutputs: { stdout: {} }\n`
  const { buffer } = await withFiles({ 'logboom.yaml': text }, (directory) =>
    loadConfig({ directory, environment: {} }),
  )
  const reader = await openReader({ module: '', output: 'stdout', data: { config: buffer.kafka } }, () => true)
  for (const [name, way] of Object.entries(WAYS)) {
    const refused = { code: 'LB-K001', message: /`replay --from`.*kafka-consumer-groups --reset-offsets/ }
    await assert.rejects(way(reader), refused, name)
  }
  await reader.close()
})
