/**
 * A member of an output's consumer group: joins, is given partitions, fetches their records, commits what is done. A
 * membership that is lost is begun anew. It knows no batches.
 */
import type { Consumer, KafkaRecord } from '@platformatic/kafka'
import type { Clock } from '../../server/core/clock.ts'
import { LogboomError } from '../../server/core/errors.ts'
import { kafkaClientOptions } from '../../server/core/kafka-connection.ts'
import type { KafkaBufferConfig } from './config.ts'
import { Partition } from './partition.ts'
import { wordsOf } from './producing.ts'

/** A member that is not heard of for so long is dead, and its partitions go to others. */
const SESSION_TIMEOUT_MS = 10_000
const REBALANCE_TIMEOUT_MS = 10_000
const HEARTBEAT_MS = 500
const FETCH_WAIT_MS = 250
const FETCH_BYTES_MAX = 8 * 1024 * 1024
const PARTITION_BYTES_MAX = 1024 * 1024
const REJOIN_MS = 1_000
const FETCH_RETRY_MS = 500
/** ListOffsets: the first record there is. */
const EARLIEST = -2n
/** ListOffsets: behind the last record. */
const LATEST = -1n
/** Records of transactions of others: no events. */
const IS_CONTROL = 0b100000

export interface FetchedRecord {
  readonly partition: Partition
  readonly offset: bigint
  readonly record: KafkaRecord
  readonly bytes: number
}

export interface MembershipParts {
  readonly config: KafkaBufferConfig
  readonly output: string
  readonly clock: Clock
  /** Records of partitions that are ours at this moment, in order. */
  readonly onRecords: (records: readonly FetchedRecord[]) => void
  /** What is fetched and not yet handed out of partitions that are no longer ours is to be forgotten. */
  readonly onAssigned: (isOurs: (partition: Partition) => boolean) => void
  readonly onTrouble: (error: LogboomError) => void
  /** Resolves when there is room for more records. */
  readonly room: () => Promise<void>
}

type RecordConsumer = Consumer<Buffer, Buffer, Buffer, Buffer>
type FetchResponse = Awaited<ReturnType<RecordConsumer['fetch']>>

export class Membership {
  readonly partitions = new Map<string, Partition>()
  /** Partitions were given once, or it is known that there are none. */
  isOpened = false
  readonly #parts: MembershipParts
  readonly #stop = new AbortController()
  #consumer: RecordConsumer | undefined
  /** False from the moment that a rebalance begins until its partitions are known. */
  #isAssigned = false
  #assigned: (() => void) | undefined
  readonly #running: Promise<void>

  constructor(parts: MembershipParts) {
    this.#parts = parts
    this.#running = this.#run()
  }

  /** Commits what is done. Rejects while the broker does not answer or the group is being formed: later, then. */
  async commit(): Promise<void> {
    const consumer = this.#consumer
    if (consumer === undefined || !this.#isAssigned) return
    const open = [...this.partitions.values()].filter((each) => each.doneOffset > each.committedOffset)
    if (open.length === 0) return
    const offsets = open.map(({ topic, id: partition, doneOffset: offset }) => {
      return { topic, partition, offset, leaderEpoch: -1 }
    })
    await consumer.commit({ offsets })
    for (const [index, each] of open.entries()) each.committedOffset = offsets[index]!.offset
  }

  async close(): Promise<void> {
    this.#stop.abort()
    this.#assigned?.()
    await this.#consumer?.close(true).catch(() => {})
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, onTrouble, output } = this.#parts
    while (!this.#stop.signal.aborted) {
      try {
        await this.#live()
      } catch (error) {
        if (this.#stop.signal.aborted) break
        onTrouble(new LogboomError('LB-K002', { output, reason: wordsOf(error) }, { cause: error }))
      }
      this.#isAssigned = false
      const consumer = this.#consumer
      this.#consumer = undefined
      await consumer?.close(true).catch(() => {})
      this.#forgetAll()
      await clock.sleep(REJOIN_MS, this.#stop.signal)
    }
  }

  #forgetAll(): void {
    this.partitions.clear()
    this.#parts.onAssigned(() => false)
  }

  /** One life in the group; rejects when it is over. */
  async #live(): Promise<void> {
    const consumer = await this.#connect()
    this.#consumer = consumer
    const lost = new Promise<never>((_, reject) => {
      consumer.on('error', reject)
      consumer.on('consumer:heartbeat:stalled', () => reject(new Error('no heartbeat was answered')))
    })
    lost.catch(() => {})
    let generation = 0
    // A commit now would only join a second time: what is done and not committed comes again, under the same ids.
    consumer.on('consumer:group:rebalance', () => {
      this.#isAssigned = false
    })
    consumer.on('consumer:group:join', () => {
      generation += 1
      this.#isAssigned = false
      this.#assigned?.()
    })
    await Promise.race([consumer.joinGroup({}), lost])
    for (let known = 0; !this.#stop.signal.aborted; ) {
      if (generation !== known || !this.#isAssigned) {
        known = generation
        await Promise.race([this.#takeAssignment(consumer, () => known === generation), lost])
        continue
      }
      await Promise.race([this.#fetchOrWait(consumer), lost])
    }
  }

  /** A broker that is away costs no membership, unless its heart stops too. */
  async #fetchOrWait(consumer: RecordConsumer): Promise<void> {
    const { clock, onTrouble, output } = this.#parts
    try {
      await this.#fetchSome(consumer)
    } catch (error) {
      if (this.#stop.signal.aborted) return
      onTrouble(new LogboomError('LB-K003', { output, reason: wordsOf(error) }, { cause: error }))
      await clock.sleep(FETCH_RETRY_MS, this.#stop.signal)
      await this.#passDeleted(consumer)
    }
  }

  /** The topic's retention has taken what was not yet read: reading goes on at what is left. */
  async #passDeleted(consumer: RecordConsumer): Promise<void> {
    const ours = [...this.partitions.values()]
    const topics = [...new Set(ours.map(({ topic }) => topic))]
    const partitions = Object.fromEntries(
      topics.map((topic) => [topic, ours.filter((each) => each.topic === topic).map(({ id }) => id)]),
    )
    const earliest = await consumer.listOffsets({ topics, partitions, timestamp: EARLIEST }).catch(() => undefined)
    for (const partition of ours) {
      const first = earliest?.get(partition.topic)?.[partition.id] ?? 0n
      if (first > partition.fetchOffset) partition.fetchOffset = first
    }
  }

  async #connect(): Promise<RecordConsumer> {
    const { Consumer } = await import('@platformatic/kafka')
    const { config, output } = this.#parts
    const noop = (data?: Buffer) => data as Buffer
    const consumer: RecordConsumer = new Consumer({
      ...(await kafkaClientOptions(config, `logboom-${output}`)),
      groupId: `${config.group}.${output}`,
      deserializers: { key: noop, value: noop, headerKey: noop, headerValue: noop },
      sessionTimeout: SESSION_TIMEOUT_MS,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_MS,
      autocreateTopics: config.createTopics,
      maxWaitTime: FETCH_WAIT_MS,
      maxBytes: FETCH_BYTES_MAX,
      minBytes: 1,
    })
    consumer.topics.trackAll(...config.topics)
    return consumer
  }

  /** The partitions that stay go on where they are; new ones begin at what the group has committed. */
  async #takeAssignment(consumer: RecordConsumer, isCurrent: () => boolean): Promise<void> {
    const assigned = (consumer.assignments ?? []).filter(({ partitions }) => partitions.length > 0)
    const keys = new Set(assigned.flatMap(({ topic, partitions }) => partitions.map((id) => `${topic}:${id}`)))
    for (const key of this.partitions.keys()) if (!keys.has(key)) this.partitions.delete(key)
    this.#parts.onAssigned((partition) => this.#isOurs(partition))
    const added = assigned.map(({ topic, partitions }) => {
      return { topic, partitions: partitions.filter((id) => !this.partitions.has(`${topic}:${id}`)) }
    })
    const fresh = added.filter(({ partitions }) => partitions.length > 0)
    const begun = fresh.length === 0 ? [] : await this.#startOf(consumer, fresh)
    if (!isCurrent()) return
    for (const partition of begun) this.partitions.set(`${partition.topic}:${partition.id}`, partition)
    this.#isAssigned = true
    this.isOpened = true
  }

  #isOurs(partition: Partition): boolean {
    return this.partitions.get(`${partition.topic}:${partition.id}`) === partition
  }

  /** Where the group is, or the oldest record; and the end, so that the lag is known before anything is read. */
  async #startOf(consumer: RecordConsumer, topics: { topic: string; partitions: number[] }[]): Promise<Partition[]> {
    const all = {
      topics: topics.map(({ topic }) => topic),
      partitions: Object.fromEntries(topics.map(({ topic, partitions }) => [topic, partitions])),
    }
    const committed = await consumer.listCommittedOffsets({ topics })
    const earliest = await consumer.listOffsets({ ...all, timestamp: EARLIEST })
    const latest = await consumer.listOffsets({ ...all, timestamp: LATEST })
    return topics.flatMap(({ topic, partitions }) =>
      partitions.map((id) => {
        const known = committed.get(topic)?.[id] ?? -1n
        const first = earliest.get(topic)?.[id] ?? 0n
        const partition = new Partition(topic, id, known > first ? known : first)
        partition.highWatermark = latest.get(topic)?.[id] ?? partition.fetchOffset
        return partition
      }),
    )
  }

  async #fetchSome(consumer: RecordConsumer): Promise<void> {
    const { clock, room, config } = this.#parts
    const changed = new Promise<void>((resolve) => {
      this.#assigned = resolve
    })
    await Promise.race([room(), changed])
    if (!this.#isAssigned) return
    if (this.partitions.size === 0)
      return void (await Promise.race([clock.sleep(FETCH_WAIT_MS, this.#stop.signal), changed]))
    const metadata = await consumer.metadata({ topics: [...config.topics] })
    const nodes = new Map<number, Partition[]>()
    for (const partition of this.partitions.values()) {
      const leader = metadata.topics.get(partition.topic)?.partitions[partition.id]?.leader ?? -1
      nodes.set(leader, [...(nodes.get(leader) ?? []), partition])
    }
    const names = new Map([...metadata.topics].map(([name, { id }]) => [id, name]))
    const fetches = [...nodes].map(async ([node, partitions]) => {
      const topics = partitions.map((partition) => requestOf(partition, metadata.topics.get(partition.topic)!.id))
      this.#take(await consumer.fetch({ node, topics }), names)
    })
    // All are waited for: what one brings late must not meet what the next round fetches.
    const failed = (await Promise.allSettled(fetches)).find((fetch) => fetch.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  #take(response: FetchResponse, names: ReadonlyMap<string, string>): void {
    if (!this.#isAssigned) return
    const records: FetchedRecord[] = []
    for (const { topicId, partitions } of response.responses) {
      for (const { partitionIndex, highWatermark, records: batches } of partitions) {
        const partition = this.partitions.get(`${names.get(topicId)}:${partitionIndex}`)
        if (partition === undefined) continue
        partition.highWatermark = highWatermark
        for (const batch of batches ?? []) takeBatch(partition, batch, records)
      }
    }
    if (records.length > 0) this.#parts.onRecords(records)
  }
}

function requestOf({ id: partition, fetchOffset }: Partition, topicId: string) {
  const epochs = { currentLeaderEpoch: -1, lastFetchedEpoch: -1 }
  return { topicId, partitions: [{ partition, fetchOffset, partitionMaxBytes: PARTITION_BYTES_MAX, ...epochs }] }
}

type Batches = NonNullable<FetchResponse['responses'][number]['partitions'][number]['records']>

/** A fetch gives whole sets of records: what lies before the offset that was asked for is known. */
function takeBatch(partition: Partition, batch: Batches[number], records: FetchedRecord[]): void {
  const isControl = (batch.attributes & IS_CONTROL) !== 0
  for (const record of isControl ? [] : batch.records) {
    const offset = batch.firstOffset + BigInt(record.offsetDelta)
    if (offset < partition.fetchOffset) continue
    records.push({ partition, offset, record, bytes: record.value?.length ?? 0 })
  }
  const next = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n
  if (next > partition.fetchOffset) partition.fetchOffset = next
}
