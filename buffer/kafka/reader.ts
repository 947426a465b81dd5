/**
 * The side of an output: records of the partitions that its consumer group has given it become batches, batches that
 * are done move the offsets of their partitions.
 *
 * The cursor, `from` and `to` of a batch count the events that this reader has handed out or passed, from 0. The
 * position of a stream is that of its event in the topic (record.ts): the two meet in `commit` and `finish` only.
 */
import { type Clock, systemClock } from '../../server/core/clock.ts'
import { LogboomError } from '../../server/core/errors.ts'
import type { Batch, Position, StoredStream } from '../../server/core/event.ts'
import { TagTable } from '../batch-builder.ts'
import type { OpenReader, Reader, ReaderStatus, ReadLimits, StoredPart } from '../buffer.ts'
import { DoneRanges } from '../done-ranges.ts'
import type { KafkaBufferConfig, KafkaSeat } from './config.ts'
import { withCoordinates } from './coordinates.ts'
import { type FetchedRecord, Membership } from './membership.ts'
import type { Partition } from './partition.ts'
import { labelOf, positionOf } from './record.ts'

/** Longest time from a commit to the offset in the group. */
const COMMIT_DELAY_MS = 1_000
/** Packed bytes that are fetched and not yet handed out; a fetch may add as much again. */
const AHEAD_BYTES_MAX = 8 * 1024 * 1024

export const openReader: OpenReader = async (seat, matches) => {
  return new KafkaReader((seat.data as KafkaSeat).config, seat.output, new TagTable(matches), systemClock)
}

/** A stream that was handed out: where its events stand in the reader's count. */
interface Lent {
  readonly stream: StoredStream
  readonly from: Position
}

class KafkaReader implements Reader {
  readonly #config: KafkaBufferConfig
  readonly #tags: TagTable
  readonly #clock: Clock
  readonly #membership: Membership
  readonly #lent = new Map<Batch, readonly Lent[]>()
  /** Of events that a commit left open: their place in the reader's count, by position. */
  readonly #held = new Map<Position, Position>()
  readonly #done = new DoneRanges(0)
  #queue: FetchedRecord[] = []
  #queuedBytes = 0
  /** Events handed out or passed. */
  #next: Position = 0
  #records = 0
  #unmatched = 0
  #damaged = 0
  #wake = Promise.withResolvers<void>()
  #roomMade = Promise.withResolvers<void>()
  #timer: NodeJS.Timeout | undefined
  #trouble: LogboomError | undefined

  constructor(config: KafkaBufferConfig, output: string, tags: TagTable, clock: Clock) {
    this.#config = config
    this.#tags = tags
    this.#clock = clock
    this.#membership = new Membership({
      ...{ config, output, clock },
      onRecords: (records) => this.#fetched(records),
      onAssigned: (isOurs) => this.#assigned(isOurs),
      onTrouble: (trouble) => {
        this.#trouble = trouble
      },
      room: () => this.#room(),
    })
  }

  async read(limits: ReadLimits, signal: AbortSignal): Promise<Batch> {
    signal.throwIfAborted()
    await this.#enough(limits, signal)
    for (;;) {
      signal.throwIfAborted()
      const batch = this.#take(limits)
      if (batch !== undefined) return batch
      await abortable(this.#wake.promise, signal)
    }
  }

  commit(batch: Batch, held: readonly Position[] = []): void {
    const lent = this.#lent.get(batch)
    if (lent === undefined) return
    this.#lent.delete(batch)
    let from = batch.from
    for (const position of held) {
      const place = placeOf(lent, position)
      this.#held.set(position, place)
      this.#finish(from, place)
      from = place + 1
    }
    this.#finish(from, batch.to)
  }

  finish(positions: readonly Position[]): void {
    for (const position of positions) {
      const place = this.#held.get(position)
      if (place === undefined) continue
      this.#held.delete(position)
      this.#finish(place, place + 1)
    }
  }

  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const partition of this.#membership.partitions.values()) partition.settle(this.#done)
    await this.#membership.commit()
  }

  /** Where an output is, is the group's matter: all that would move it comes from `replay --from` here. */
  seek(): Promise<void> {
    return Promise.reject(notMoved())
  }

  skip(): Promise<number> {
    return Promise.reject(notMoved())
  }

  parts(): Promise<readonly StoredPart[]> {
    return Promise.reject(notMoved())
  }

  status(): ReaderStatus {
    const open = this.#next - this.#done.cursor - this.#done.eventsBeyond
    const behind = [...this.#membership.partitions.values()].reduce(
      (sum, { highWatermark, fetchOffset }) => sum + Math.max(0, Number(highWatermark - fetchOffset)),
      this.#queue.length,
    )
    const eventsOfRecord = this.#records === 0 ? 1 : this.#next / this.#records
    const [oldest] = this.#lent.values()
    return {
      cursor: this.#done.cursor,
      doneBeyondEvents: this.#done.eventsBeyond,
      // Until the group has told where it is, nobody knows: there may be something.
      lagEvents: this.#membership.isOpened ? Math.round(open + behind * eventsOfRecord) : 1,
      oldestReceivedMs: oldest?.[0]?.stream.receivedMs ?? this.#queuedSinceMs(),
      unmatchedEvents: this.#unmatched,
      damagedEvents: this.#damaged,
      lastDamagedChunk: this.#damaged === 0 ? undefined : 'a topic of Kafka',
      trouble: this.#trouble?.message,
    }
  }

  /** What is done is committed if the broker answers; what it does not hear of is delivered again, by its id. */
  async close(): Promise<void> {
    await this.flush().catch(() => {})
    clearTimeout(this.#timer)
    await this.#membership.close()
    clearTimeout(this.#timer)
  }

  #queuedSinceMs(): number | undefined {
    const [first] = this.#queue
    return first === undefined ? undefined : labelOf(first.record.headers)?.receivedMs
  }

  #room(): Promise<void> {
    if (this.#queuedBytes < AHEAD_BYTES_MAX) return Promise.resolve()
    this.#roomMade = Promise.withResolvers()
    return this.#roomMade.promise
  }

  #fetched(records: readonly FetchedRecord[]): void {
    this.#trouble = undefined
    for (const record of records) this.#queue.push(record)
    this.#queuedBytes += records.reduce((sum, { bytes }) => sum + bytes, 0)
    this.#wake.resolve()
    this.#wake = Promise.withResolvers()
  }

  #assigned(isOurs: (partition: Partition) => boolean): void {
    this.#queue = this.#queue.filter(({ partition }) => isOurs(partition))
    this.#queuedBytes = this.#queue.reduce((sum, { bytes }) => sum + bytes, 0)
    if (this.#queuedBytes < AHEAD_BYTES_MAX) this.#roomMade.resolve()
  }

  /** Waits for the first record, and then up to `maxAgeMs` for as many as a batch may have. */
  async #enough({ maxBytes, maxAgeMs }: ReadLimits, signal: AbortSignal): Promise<void> {
    while (this.#queue.length === 0) {
      await abortable(this.#wake.promise, signal)
      signal.throwIfAborted()
    }
    const until = this.#clock.monotonic() + maxAgeMs
    const wanted = Math.min(maxBytes, AHEAD_BYTES_MAX)
    for (;;) {
      const rest = until - this.#clock.monotonic()
      if (rest <= 0 || this.#queuedBytes >= wanted) return
      await Promise.race([this.#clock.sleep(Math.min(rest, 10), signal), abortable(this.#wake.promise, signal)])
      signal.throwIfAborted()
    }
  }

  /** Undefined: nothing of what was there matches. */
  #take(limits: ReadLimits): Batch | undefined {
    const from = this.#next
    const lent: Lent[] = []
    let [count, bytes, taken] = [0, 0, 0]
    for (const fetched of this.#queue) {
      if (taken > 0 && (count >= limits.maxEvents || bytes >= limits.maxBytes)) break
      taken += 1
      this.#queuedBytes -= fetched.bytes
      const stream = this.#streamOf(fetched)
      if (stream === undefined) continue
      lent.push({ stream, from: this.#next - stream.count })
      count += stream.count
      bytes += stream.packed.length
    }
    this.#queue.splice(0, taken)
    if (this.#queuedBytes < AHEAD_BYTES_MAX) this.#roomMade.resolve()
    if (count === 0) {
      if (this.#next > from) this.#storeLater()
      return undefined
    }
    const batch: Batch = { streams: lent.map(({ stream }) => stream), count, bytes, from, to: this.#next }
    this.#lent.set(batch, lent)
    return batch
  }

  /** Counts its events; undefined where they are passed. */
  #streamOf({ partition, offset, record }: FetchedRecord): StoredStream | undefined {
    const label = labelOf(record.headers)
    const from = this.#next
    const count = label?.count ?? 1
    this.#next += count
    this.#records += 1
    partition.handOut(from, this.#next, offset + 1n)
    if (label === undefined || record.value === null) {
      this.#damaged += count
      this.#done.add(from, this.#next)
      return undefined
    }
    const { tag, matches } = this.#tags.of(label.tag)
    if (!matches) {
      this.#unmatched += count
      this.#done.add(from, this.#next)
      return undefined
    }
    const { idBase, idIndex, receivedMs } = label
    const { topic, id } = partition
    const { offsetKey } = this.#config
    const position = positionOf(id, offset)
    const where = { topic, partition: id, offset: Number(offset) }
    const packed = offsetKey === undefined ? record.value : withCoordinates(record.value, count, offsetKey, where)
    return { tag, packed, count, position, idBase, idIndex, receivedMs }
  }

  #finish(from: Position, to: Position): void {
    this.#done.add(from, to)
    this.#storeLater()
  }

  /** While the broker does not answer it is tried again: nothing is lost, but after a crash more comes twice. */
  #storeLater(): void {
    this.#timer ??= setTimeout(() => this.flush().catch(() => this.#storeLater()), COMMIT_DELAY_MS).unref()
  }
}

function notMoved(): LogboomError {
  const why = 'stop the processors and use kafka-consumer-groups --reset-offsets --to-datetime'
  return new LogboomError('LB-K001', { key: 'replay --from', why })
}

function placeOf(lent: readonly Lent[], position: Position): Position {
  const { stream, from } = lent.find((each) => {
    return position >= each.stream.position && position < each.stream.position + each.stream.count
  })!
  return from + position - stream.position
}

/** Resolves when the promise does or the signal aborts, whichever is first. */
function abortable(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener('abort', done)
      resolve()
    }
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', done, { once: true })
    void promise.then(done, done)
  })
}
