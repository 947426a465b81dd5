/**
 * An event as fluentd's plugin with `logstash_format` wrote it: the record, `@timestamp` where the record has none (ISO
 * 8601, nine digits of a second, `+00:00`), and the tag under `tag_key` where one is named, in the place of the
 * record's own. No sequence. [fluent-plugin-elasticsearch, out_elasticsearch.rb, process_message]
 */
import { type ByteSink, copyTemplate, createTemplate, reserve } from '../encoding/byte-sink.ts'
import { type DocumentCursor, FOUND_TIMESTAMP, mapBody, mapCount, reservedKey } from '../encoding/document.ts'
import { isKey } from '../encoding/field-value.ts'
import { SECOND_LENGTH, writeSecond } from '../encoding/iso-time.ts'
import { writePadded } from '../encoding/json-number.ts'
import { writeKey, writeValue } from '../encoding/json-value.ts'
import type { WriteDocument } from './bulk-body.ts'

const TIMESTAMP_KEY = createTemplate('"@timestamp":"')
const OFFSET = createTemplate('+00:00",')
/** `"@timestamp":"2026-11-20T12:00:00.123456789+00:00",`, rounded up. */
const TIMESTAMP_ROOM = 64

/** @param tagKey the key of the tag; undefined: the tag is not in the document. */
export function createFluentdWriter(tagKey: string | undefined): WriteDocument {
  const key = tagKey === undefined ? undefined : Buffer.from(tagKey)
  const none = createTemplate('')
  let tag: string | undefined
  let tagValue = none
  let tagPart = none

  function enterTag(of: string | undefined): void {
    tag = of
    tagValue = createTemplate(`${JSON.stringify(tag)},`)
    tagPart = createTemplate(`${JSON.stringify(tagKey)}:${JSON.stringify(tag)},`)
  }

  return (cursor, record, _position, sink) => {
    if (key !== undefined && tag !== cursor.tag) enterTag(cursor.tag)
    const { from, bytes } = cursor
    reserve(sink, 1)
    sink.view.setUint8(sink.at++, 0x7b)
    const start = sink.at
    let pos = mapBody(from, record)
    let hasTimestamp = false
    let hasTag = key === undefined
    for (let left = mapCount(from, record); left > 0; left--) {
      if ((reservedKey(from, pos) & FOUND_TIMESTAMP) !== 0) hasTimestamp = true
      const value = writeKey(from, pos, sink)
      const isTag = key !== undefined && isKey(bytes, pos, value, key)
      const before = sink.at
      pos = writeValue(from, value, sink, 1)
      if (!isTag) continue
      hasTag = true
      sink.at = before
      writeTemplate(tagValue, sink)
    }
    if (!hasTimestamp) writeTimestamp(cursor, sink)
    if (!hasTag) writeTemplate(tagPart, sink)
    // Each part ends with a comma: the last one gives its place to the brace.
    if (sink.at === start) reserve(sink, 1)
    else sink.at--
    sink.view.setUint8(sink.at++, 0x7d)
    return pos
  }
}

function writeTemplate(template: ReturnType<typeof createTemplate>, sink: ByteSink): void {
  reserve(sink, template.length)
  sink.at = copyTemplate(template, sink.view, sink.at)
}

function writeTimestamp(cursor: DocumentCursor, sink: ByteSink): void {
  reserve(sink, TIMESTAMP_ROOM)
  const { view } = sink
  const at = copyTemplate(TIMESTAMP_KEY, view, sink.at)
  writeSecond(cursor.seconds, 0x54, view, at)
  view.setUint8(at + SECOND_LENGTH, 0x2e)
  writePadded(cursor.nanoseconds, 9, view, at + SECOND_LENGTH + 1)
  sink.at = copyTemplate(OFFSET, view, at + SECOND_LENGTH + 10)
}
