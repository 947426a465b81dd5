/**
 * The buffer in Kafka, as the inputs see it: a stream is taken once all replicas have it. Receivers keep nothing, so
 * that any number of them may run; outputs are consumers of a group (reader.ts).
 */
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import type { Clock } from '../../server/core/clock.ts'
import { LogboomError } from '../../server/core/errors.ts'
import type { Emit, EventStream, MarkStore, Spool } from '../../server/core/event.ts'
import { kafkaClientOptions } from '../../server/core/kafka-connection.ts'
import { parseTopic, renderTopic, type TopicTemplate } from '../../server/core/kafka-topic.ts'
import type { Logger } from '../../server/core/log.ts'
import type { BufferStatus, EventBuffer, ReaderSeat } from '../buffer.ts'
import { Duplicates } from '../duplicates.ts'
import { idBaseText, messageIdBase } from '../event-id.ts'
import { nodeFileSystem } from '../file-system.ts'
import { emptySpoolDirectory, openSpool } from '../spool.ts'
import type { KafkaBufferConfig, KafkaSeat } from './config.ts'
import { cutStream } from './cut-stream.ts'
import { Producing } from './producing.ts'
import { headersOf, RECORD_OVERHEAD, receiverIdBase, type StreamPart } from './record.ts'

/** How often the broker is asked for a sign of life. */
const PROBE_MS = 3_000
/** Longest wait for acknowledgements when the buffer is closed; the clients hear of no ack and send again. */
const CLOSE_LIMIT_MS = 5_000
const TAG_BYTES_MAX = 1_024

export interface KafkaBufferSurroundings {
  readonly log: Logger
  readonly clock: Clock
}

/** Does not wait for the broker: until it answers, appends wait and `status` says why. */
export async function openKafkaBuffer(config: KafkaBufferConfig, parts: KafkaBufferSurroundings): Promise<EventBuffer> {
  const { Producer, stringSerializer } = await import('@platformatic/kafka')
  const noop = (data?: Buffer) => data
  const options = {
    ...(await kafkaClientOptions(config, 'logboom-receiver')),
    serializers: { key: noop, value: noop, headerKey: stringSerializer, headerValue: noop },
    idempotent: true,
    acks: -1,
    compression: config.compression,
    autocreateTopics: config.createTopics,
  }
  await emptySpoolDirectory(nodeFileSystem, path.join(config.path, 'spool'))
  const { log, clock } = parts
  const connect = () => new Producer<Buffer, Buffer, string, Buffer>(options)
  return new KafkaBuffer(config, clock, new Producing({ connect, clock, log, sendBytesMax: config.messageBytes }))
}

interface Waiting {
  readonly bytes: number
  readonly go: () => void
  readonly refuse: (error: unknown) => void
}

class KafkaBuffer implements EventBuffer {
  readonly append: Emit = (stream) => this.#append(stream)
  readonly marks: MarkStore = {
    find: () => new Map(),
    set: () => Promise.reject(new LogboomError('LB-K001', { key: 'inputs', why: NO_MARKS })),
  }
  readonly #config: KafkaBufferConfig
  readonly #clock: Clock
  readonly #producing: Producing
  readonly #topic: TopicTemplate
  readonly #topics: ReadonlySet<string>
  readonly #idBase = receiverIdBase(randomBytes(16))
  readonly #duplicates = new Duplicates()
  readonly #timer: NodeJS.Timeout
  #known = 0
  #idIndex = 0
  #events = 0
  #inFlightBytes = 0
  #waiting: Waiting[] = []
  #spools = 0
  #closed = false

  constructor(config: KafkaBufferConfig, clock: Clock, producing: Producing) {
    this.#config = config
    this.#clock = clock
    this.#producing = producing
    this.#topic = parseTopic(config.topic)
    this.#topics = new Set(config.topics)
    this.#timer = setInterval(() => void producing.probe(), PROBE_MS).unref()
    void producing.probe()
  }

  async spool(): Promise<Spool> {
    if (this.#closed) throw new LogboomError('LB-B004', {})
    this.#spools += 1
    return openSpool(nodeFileSystem, path.join(this.#config.path, 'spool'), this.#spools)
  }

  async seat(output: string): Promise<ReaderSeat> {
    const data: KafkaSeat = { config: this.#config }
    return { module: new URL('./reader.ts', import.meta.url).href, output, data }
  }

  leave(): void {}

  status(): BufferStatus {
    const { trouble } = this.#producing
    return {
      bytes: this.#inFlightBytes,
      limitBytes: this.#config.inFlightBytesMax,
      chunks: 0,
      first: 0,
      next: this.#events,
      isShared: true,
      waiting: this.#waiting.length,
      trouble: trouble === undefined ? undefined : `kafka does not answer: ${trouble}`,
      duplicates: this.#known,
      recovered: { tornBytes: 0, damagedFrames: 0, damagedEvents: 0, quarantined: [] },
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#timer)
    for (const { refuse } of this.#waiting.splice(0)) refuse(new LogboomError('LB-B004', {}))
    await this.#producing.close(AbortSignal.timeout(CLOSE_LIMIT_MS))
  }

  async #append(stream: EventStream): Promise<void> {
    if (this.#closed) throw new LogboomError('LB-B004', {})
    const { idBase, idIndex, known } = this.#identify(stream)
    if (known === undefined) return this.#store(stream, idBase, idIndex)
    const before = this.#duplicates.find(known)
    if (before !== undefined) {
      this.#known += 1
      return before
    }
    const stored = this.#store(stream, idBase, idIndex)
    this.#duplicates.remember(known, stored)
    stored.catch(() => this.#duplicates.forget(known))
    return stored
  }

  #identify({ tag, chunkId, packed, count, firstId }: EventStream) {
    if (firstId !== undefined) return { idBase: firstId.base, idIndex: firstId.index, known: undefined }
    if (chunkId !== undefined) {
      const payload =
        packed instanceof Uint8Array
          ? { packedCrc: crc32(packed), packedBytes: packed.length }
          : { packedCrc: packed.crc32, packedBytes: packed.byteLength }
      const idBase = messageIdBase({ tag, chunkId, ...payload })
      return { idBase, idIndex: 0, known: idBaseText(idBase) }
    }
    const idIndex = this.#idIndex
    this.#idIndex += count
    return { idBase: this.#idBase, idIndex, known: undefined }
  }

  async #store(stream: EventStream, idBase: Uint8Array, idIndex: number): Promise<void> {
    const { packed, count } = stream
    if (packed instanceof Uint8Array) return this.#storePacked(stream, packed, { count, idBase, idIndex })
    let index = idIndex
    for (const section of packed.sections) {
      await this.#storePacked(stream, await packed.read(section), { count: section.count, idBase, idIndex: index })
      index += section.count
    }
  }

  async #storePacked(stream: EventStream, packed: Uint8Array, of: Omit<StreamPart, 'tag' | 'packed' | 'receivedMs'>) {
    const tag = stream.tag.subarray(0, TAG_BYTES_MAX)
    const topic = this.#topicOf(tag)
    const bytesMax = this.#config.messageBytes - RECORD_OVERHEAD - 2 * tag.length
    const receivedMs = this.#clock.now()
    const sent: Promise<void>[] = []
    let idIndex = of.idIndex
    for (const cut of cutStream(packed, of.count, bytesMax)) {
      sent.push(this.#send(topic, { ...cut, tag, idBase: of.idBase, idIndex, receivedMs }))
      idIndex += cut.count
    }
    await Promise.all(sent)
    this.#events += of.count
  }

  /** Only topics that the outputs read: what a tag names is data. */
  #topicOf(tag: Uint8Array): string {
    const topic = renderTopic(this.#topic, Buffer.from(tag).toString(), () => undefined)
    return topic !== undefined && this.#topics.has(topic) ? topic : this.#config.defaultTopic
  }

  async #send(topic: string, part: StreamPart): Promise<void> {
    const bytes = part.packed.length + RECORD_OVERHEAD
    await this.#admit(bytes)
    const key = this.#config.key === 'tag' ? Buffer.from(part.tag) : undefined
    const value = Buffer.from(part.packed.buffer, part.packed.byteOffset, part.packed.byteLength)
    try {
      await new Promise<void>((resolve, reject) => {
        const headers = headersOf(part)
        this.#producing.add({ topic, key, value, headers, timestamp: BigInt(part.receivedMs), bytes, resolve, reject })
      })
    } finally {
      this.#release(bytes)
    }
  }

  /** Resolves when there is room for so many bytes beside those that wait for the broker; in order. */
  #admit(bytes: number): Promise<void> {
    if (this.#waiting.length === 0 && this.#fits(bytes)) {
      this.#inFlightBytes += bytes
      return Promise.resolve()
    }
    return new Promise((resolve, refuse) => {
      this.#waiting.push({ bytes, go: resolve, refuse })
    })
  }

  #release(bytes: number): void {
    this.#inFlightBytes -= bytes
    while (this.#waiting.length > 0 && this.#fits(this.#waiting[0]!.bytes)) {
      const next = this.#waiting.shift()!
      this.#inFlightBytes += next.bytes
      next.go()
    }
  }

  #fits(bytes: number): boolean {
    return this.#inFlightBytes === 0 || this.#inFlightBytes + bytes <= this.#config.inFlightBytesMax
  }
}

const NO_MARKS = 'places in files cannot be kept in Kafka'
