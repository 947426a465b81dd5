/** What fluentd's plugin with `logstash_format` gave, byte for byte. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBulkCursor, encodeBodies } from '../../../outputs/elasticsearch/bulk-body.ts'
import { output } from '../../../outputs/elasticsearch/elasticsearch.ts'
import { createFluentdWriter } from '../../../outputs/elasticsearch/fluentd-document.ts'
import { parseIndexPattern } from '../../../outputs/elasticsearch/index-name.ts'
import { createByteSink } from '../../../outputs/encoding/byte-sink.ts'
import { makeBatch, packValue, type RecordLike } from '../../conformance/make-batch.ts'

/** The lines of the bulk body: actions and documents in turn. */
function linesOf(tagKey: string | undefined, ...records: readonly RecordLike[]): string[] {
  const pattern = parseIndexPattern(output.fields.index.default)
  const cursor = createBulkCursor(pattern, { seed: 1, step: 2 }, undefined, createFluentdWriter(tagKey))
  const sink = createByteSink(16)
  const batch = makeBatch([{ tag: 'docker.web', events: records.map((record) => ({ record })) }])
  const texts = Array.from(encodeBodies(cursor, batch, sink, 1 << 20), () =>
    Buffer.from(sink.bytes.subarray(0, sink.at)).toString(),
  )
  return texts.join('').split('\n')
}

const documentOf = (tagKey: string | undefined, record: RecordLike) => linesOf(tagKey, record)[1]

test('85: elasticsearch, a fixed event: the index of its day in UTC and its document', () => {
  const record = { container_id: '4f', container_name: '/web', source: 'stdout', log: 'GET / 200' }
  assert.deepEqual(linesOf(undefined, record), [
    '{"create":{"_index":"logstash-2026.11.20","_id":"AAAAAAAAAAAAAAA0.0"}}',
    '{"container_id":"4f","container_name":"/web","source":"stdout","log":"GET / 200",' +
      '"@timestamp":"2026-11-20T12:00:00.123456789+00:00"}',
    '',
  ])
})

test("85: elasticsearch, the record's own @timestamp stays as it is", () => {
  const own = { '@timestamp': '2020-01-02T03:04:05.000Z', log: 'a' }
  assert.equal(documentOf(undefined, own), '{"@timestamp":"2020-01-02T03:04:05.000Z","log":"a"}')
})

test('85: elasticsearch, the tag stands behind @timestamp, under the key that `tag_key` names', () => {
  const expected = '{"log":"a","@timestamp":"2026-11-20T12:00:00.123456789+00:00","@log_name":"docker.web"}'
  assert.equal(documentOf('@log_name', { log: 'a' }), expected)
})

test("85: elasticsearch, the tag takes the place of the record's own", () => {
  const expected = '{"@log_name":"docker.web","log":"a","@timestamp":"2026-11-20T12:00:00.123456789+00:00"}'
  assert.equal(documentOf('@log_name', { '@log_name': { not: ['mine'] }, log: 'a' }), expected)
  const asBin = Buffer.concat([Buffer.of(0x81, 0xc4, 9), Buffer.from('@log_name'), packValue(1)])
  assert.match(documentOf('@log_name', asBin)!, /^\{"@log_name":"docker\.web","@timestamp"/)
})

test('85: elasticsearch, an empty record, `tag` and `sequence` are nothing special', () => {
  assert.equal(documentOf(undefined, {}), '{"@timestamp":"2026-11-20T12:00:00.123456789+00:00"}')
  const own = { '@timestamp': 1, tag: 't', sequence: 5 }
  assert.equal(documentOf(undefined, own), '{"@timestamp":1,"tag":"t","sequence":5}')
})
