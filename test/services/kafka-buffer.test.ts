/** The buffer in Kafka against a real broker: its contract, and what no broker in memory shows. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before } from 'node:test'
import { Admin } from '@platformatic/kafka'
import type { KafkaBufferConfig } from '../../buffer/kafka/config.ts'
import { openKafkaBuffer } from '../../buffer/kafka/kafka-buffer.ts'
import { openReader } from '../../buffer/kafka/reader.ts'
import { systemClock } from '../../server/core/clock.ts'
import { keptLog } from '../buffer/harness.ts'
import { bufferConformance } from '../conformance/buffer.ts'
import { type KafkaServer, startKafka } from './launchers/kafka.ts'

let server: KafkaServer
let places = 0
before(async () => {
  server = await startKafka()
})
after(() => server?.close())

function configOf(topic: string, folder: string): KafkaBufferConfig {
  return {
    ...{ path: folder, brokers: [server.broker], topic, defaultTopic: topic, topics: [topic], group: topic },
    ...{ key: 'none', compression: 'zstd', messageBytes: 1_000_000, createTopics: true, inFlightBytesMax: 1 << 26 },
    ...{ username: undefined, password: undefined, sasl_mechanism: 'PLAIN', request_timeout: 10_000 },
    ...{ tls: { enabled: false, ca_path: undefined, insecure: false }, offsetKey: undefined },
  }
}

/** A topic of one partition, which alone has an order. */
async function makePlace() {
  const topic = `place-${places++}`
  const folder = mkdtempSync(path.join(tmpdir(), 'logboom-kafka-'))
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: [server.broker] })
  await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 })
  await admin.close()
  return {
    open: () => openKafkaBuffer(configOf(topic, folder), { log: keptLog(), clock: systemClock }),
    openReader,
    dispose: async () => rmSync(folder, { recursive: true, force: true }),
  }
}

const POSITIONS =
  'a position is made of the offset in the topic: events of one record follow one another, records do not'
const MARKS = 'places in files are not kept: the configuration refuses `tail`'
const RETENTION = 'the topic keeps what it is told to keep (retention.ms); nothing waits for an output'
const SEEKS = 'offsets of a group are set by its own tools; `replay --from` and `on_lag: skip` are refused'
const ONE_OFFSET = 'the group keeps one offset: what was done beyond it comes again, under the same ids'

bufferConformance('kafka', makePlace, {
  'in order, byte for byte, with positions without gaps': POSITIONS,
  'a spooled message is one message': 'a record holds 1,024 events, and a message is several',
  'what is larger than a batch is handed out whole': 'a message larger than max.message.bytes is several records',
  'a restart goes on at the cursor, without what was done out of order': ONE_OFFSET,
  'what a commit leaves open holds the cursor until it is finished, and alone comes again': ONE_OFFSET,
  'seek goes back to any event': SEEKS,
  'skip passes what is not done, counts it, and reads on from there': SEEKS,
  'the parts tell what is stored': SEEKS,
  'positions go on after a restart': POSITIONS,
  'a message that is sent again is acknowledged and stored once': 'a receiver that was started again knows none',
  'ids are 16 base64url characters, a dot and the number of the event': 'counted from 0 by each receiver',
  'the newest mark of each source is found, also after a restart': MARKS,
  'of a mark with a stream and one without, the later counts': MARKS,
  'a source that was forgotten stays so': MARKS,
  'marks outlive what they came with': MARKS,
  'a full buffer lets appends wait until an output has passed what is stored': RETENTION,
})
