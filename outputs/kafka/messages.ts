/** A batch as Kafka messages: topic, key, JSON value, and the event id in a header. Pure. */
import type { Batch, Sequence, StoredStream } from '../../server/core/event.ts'
import { renderTopic, TOPICS_MAX, type TopicTemplate } from '../../server/core/kafka-topic.ts'
import { createByteSink, emptySink } from '../encoding/byte-sink.ts'
import { createDocumentCursor, enterStream, leaveStream, readEventTime, writeDocument } from '../encoding/document.ts'
import { fieldText } from '../encoding/field-value.ts'
import type { Rejection } from '../output.ts'

const SINK_BYTES = 256 * 1024
/** What a record has beside its key, value and header in a batch of version 2, bytes, rounded up. */
const RECORD_OVERHEAD = 64
export const ID_HEADER = 'event_id'

export type KeyRule = 'event_id' | 'tag' | 'none' | { readonly field: string }

export interface MessageOptions {
  readonly topic: TopicTemplate
  /** Where events go whose topic cannot be told. */
  readonly defaultTopic: string | undefined
  readonly key: KeyRule
  /** Most bytes of one message. */
  readonly messageBytes: number
  readonly sequence: Sequence
}

/** `value` is a view that is valid until the next batch. */
export interface KafkaMessage {
  readonly index: number
  readonly topic: string
  readonly key: string | undefined
  readonly value: Buffer
  readonly id: string
  /** Time of the event, ms since 1970. */
  readonly timeMs: number
  /** About what it takes in a request. */
  readonly bytes: number
}

export interface Messages {
  readonly messages: readonly KafkaMessage[]
  readonly rejected: readonly Rejection[]
}

interface Draft extends Omit<KafkaMessage, 'value' | 'bytes'> {
  readonly start: number
  readonly end: number
}

/** @returns a function that turns batches into messages; one batch at a time. */
export function createMessageMaker(options: MessageOptions): (batch: Batch) => Messages {
  const cursor = createDocumentCursor(options.sequence)
  const sink = createByteSink(SINK_BYTES)
  const topics = new Set<string>()
  const keyField = typeof options.key === 'object' ? Buffer.from(options.key.field) : undefined

  function topicOf(tag: string, record: number): string | undefined {
    const wanted = renderTopic(options.topic, tag, (key) => fieldText(cursor.from, record, key))
    if (wanted === undefined) return options.defaultTopic
    if (!topics.has(wanted) && topics.size >= TOPICS_MAX) return options.defaultTopic
    topics.add(wanted)
    return wanted
  }

  function keyOf(stream: StoredStream, record: number, id: string): string | undefined {
    if (options.key === 'event_id') return id
    if (options.key === 'tag') return stream.tag
    return keyField === undefined ? undefined : fieldText(cursor.from, record, keyField)
  }

  /** Writes the event at `pos` into the sink; its topic is undefined when it has none. */
  function write(stream: StoredStream, event: number, index: number, pos: number) {
    const record = readEventTime(cursor, pos)
    const id = `${stream.idBase}.${stream.idIndex + event}`
    const start = sink.at
    const topic = topicOf(stream.tag, record)
    const key = keyOf(stream, record, id)
    const timeMs = cursor.seconds * 1000 + Math.floor(cursor.nanoseconds / 1e6)
    const next = writeDocument(cursor, record, stream.position + event, sink)
    return { next, topic, draft: { index, key, id, timeMs, start, end: sink.at } }
  }

  return (batch) => {
    emptySink(sink)
    const drafts: Draft[] = []
    const rejected: Rejection[] = []
    let index = 0
    for (const stream of batch.streams) {
      let pos = enterStream(cursor, stream)
      for (let event = 0; event < stream.count; event += 1, index += 1) {
        const { next, topic, draft } = write(stream, event, index, pos)
        pos = next
        const bytes = draft.end - draft.start + RECORD_OVERHEAD
        if (topic === undefined) rejected.push({ index, reason: 'no_topic', detail: NO_TOPIC })
        else if (bytes <= options.messageBytes) drafts.push({ ...draft, topic })
        else rejected.push({ index, reason: 'message_too_large', detail: tooLarge(bytes, options) })
      }
    }
    leaveStream(cursor)
    const memory = Buffer.from(sink.bytes.buffer)
    return { messages: drafts.map((draft) => messageOf(draft, memory)), rejected }
  }
}

const NO_TOPIC = 'its tag or record has nothing for a part of `topic`, and there is no `default_topic`'

function tooLarge(bytes: number, { messageBytes }: MessageOptions): string {
  return `a message of ${bytes} bytes; message_size_limit is ${messageBytes}`
}

function messageOf({ start, end, ...draft }: Draft, memory: Buffer): KafkaMessage {
  const key = Buffer.byteLength(draft.key ?? '')
  return { ...draft, value: memory.subarray(start, end), bytes: end - start + key + RECORD_OVERHEAD }
}
