/** Lines of objects, byte for byte, and how a batch is sorted into groups and rounds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLineCursor, encodeRounds, ROUND_GROUPS_MAX } from '../../../outputs/s3/lines.ts'
import { parseKey } from '../../../outputs/s3/object-key.ts'
import type { Batch } from '../../../server/core/event.ts'
import { batchOf, EventTime, makeBatch } from '../../conformance/make-batch.ts'

interface Wishes {
  readonly format?: 'json' | 'fluentd'
  readonly key?: string
  readonly window?: number
  readonly isStaged?: (position: number) => boolean
  readonly eventId?: boolean
}

function roundsOf(batch: Batch, wishes: Wishes = {}) {
  const { format = 'json', key = '%d-%H_{index}', window = 3_600, isStaged, eventId = false } = wishes
  const cursor = createLineCursor({ format, eventId, key: parseKey(key, 'n'), window, sequence: { seed: 1, step: 2 } })
  return Array.from(encodeRounds(cursor, batch, isStaged), ({ first, count, positions, groups }) => ({
    first,
    count,
    positions,
    groups: Array.from(groups.values(), ({ stem, windowStart, sink, events }) => ({
      stem,
      windowStart,
      events,
      text: Buffer.from(sink.bytes.subarray(0, sink.at)).toString(),
    })),
  }))
}

const textOf = (batch: Batch, wishes: Wishes = {}) =>
  roundsOf(batch, wishes)[0]!
    .groups.map(({ text }) => text)
    .join('')
const at = (iso: string) => EventTime.ofIso(iso)

test("85: s3, fluentd's out_file: time in whole seconds with +00:00, tag and record, between tabs", () => {
  const record = { container_name: '/web', log: 'a\t"b"', n: 1 }
  assert.equal(
    textOf(makeBatch([{ tag: 'docker.web', events: [{ record }, { time: 1_795_176_001, record: {} }] }]), {
      format: 'fluentd',
    }),
    '2026-11-20T12:00:00+00:00\tdocker.web\t{"container_name":"/web","log":"a\\t\\"b\\"","n":1}\n' +
      '2026-11-20T12:00:01+00:00\tdocker.web\t{}\n',
  )
})

test('85: s3, the usual line: the record with @timestamp, tag and sequence', () => {
  assert.equal(
    textOf(makeBatch([{ tag: 'docker.web', position: 4, events: [{ record: { log: 'a\n' } }] }])),
    '{"log":"a\\n","@timestamp":"2026-11-20T12:00:00.123456789Z","tag":"docker.web","sequence":9}\n',
  )
})

test('with event_id a line ends in the id of the event, whatever its record', () => {
  const batch = makeBatch([{ tag: 'a', events: [{ record: {} }, { record: { log: 'b' } }] }])
  const lines = textOf(batch, { eventId: true }).trimEnd().split('\n')
  const { idBase, idIndex } = batch.streams[0]!
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).event_id),
    [`${idBase}.${idIndex}`, `${idBase}.${idIndex + 1}`],
  )
  assert.match(lines[0]!, /,"tag":"a","sequence":\d+,"event_id":"[^"]+"\}$/)
})

test('a tag with a tab or a newline makes no other column or line', () => {
  const text = textOf(makeBatch([{ tag: 'a\tb\nc', events: [{ record: {} }] }]), { format: 'fluentd' })
  assert.equal(text, '2026-11-20T12:00:00+00:00\ta_b_c\t{}\n')
})

test('events go to the window of their time, whatever stands between them', () => {
  const times = ['2026-11-20T11:59:59.9Z', '2026-11-20T12:00:00Z', '2026-11-20T11:00:00Z', '2026-11-20T12:59:59Z']
  const batch = makeBatch([
    { tag: 'a', events: times.map((time) => ({ time: at(time), record: {} })) },
    { tag: 'b', events: [{ time: at('2026-11-20T12:30:00Z'), record: {} }] },
  ])
  const [round] = roundsOf(batch)
  assert.deepEqual(
    round!.groups.map(({ stem, events }) => [stem, events]),
    [
      ['20-11_{index}', 2],
      ['20-12_{index}', 3],
    ],
  )
  assert.deepEqual(round!.positions, [0, 5])
})

test('a tag in the key parts the events by it', () => {
  const events = [{ record: {} }]
  const batch = makeBatch(['a.x', 'b.x', 'a.y'].map((tag) => ({ tag, events })))
  const stems = roundsOf(batch, { key: '{tag[0]}_{index}' })[0]!.groups.map(({ stem, events: n }) => [stem, n])
  assert.deepEqual(stems, [
    ['a_{index}', 2],
    ['b_{index}', 1],
  ])
})

test('a time far from the time of receipt does not choose the window', () => {
  const receivedMs = Date.UTC(2026, 10, 20, 12)
  const times = ['2024-01-01T00:00:00Z', '2026-12-20T00:00:00Z'].map((time) => ({ time: at(time), record: {} }))
  const [round] = roundsOf(makeBatch([{ receivedMs, events: times }]))
  assert.deepEqual(
    round!.groups.map(({ windowStart }) => windowStart),
    [receivedMs / 1000],
  )
})

test('many groups, and many bytes, become rounds that follow one another', () => {
  const many = Array.from({ length: ROUND_GROUPS_MAX + 5 }, (_, n) => ({ tag: `t${n}`, events: [{ record: { n } }] }))
  const rounds = roundsOf(makeBatch(many), { key: '{tag}_{index}' })
  assert.deepEqual(
    rounds.map(({ first, count, positions }) => [first, count, positions]),
    [
      [0, ROUND_GROUPS_MAX, [0, ROUND_GROUPS_MAX]],
      [ROUND_GROUPS_MAX, 5, [ROUND_GROUPS_MAX, ROUND_GROUPS_MAX + 5]],
    ],
  )
  const large = roundsOf(batchOf(...Array.from({ length: 5 }, (_, n) => ({ n, log: 'x'.repeat(5_000_000) }))))
  assert.deepEqual(
    large.map(({ first, count }) => [first, count]),
    [
      [0, 2],
      [2, 2],
      [4, 1],
    ],
  )
})

test('events that were staged before are counted and not written', () => {
  const batch = batchOf(...Array.from({ length: 6 }, (_, n) => ({ n })))
  const [round] = roundsOf(batch, { isStaged: (position) => position === 1 || position === 2 })
  assert.equal(round!.count, 6)
  assert.deepEqual(round!.positions, [0, 1, 3, 6])
  assert.deepEqual(round!.groups[0]!.text.match(/"n":\d/g), ['"n":0', '"n":3', '"n":4', '"n":5'])
})
