/** Events as Kafka messages: topic, key, value, header, and what finds no topic. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { classifyFailure } from '../../../outputs/kafka/classify.ts'
import { createMessageMaker, type MessageOptions } from '../../../outputs/kafka/messages.ts'
import { parseTopic, renderTopic, TOPICS_MAX } from '../../../server/core/kafka-topic.ts'
import { batchOf, makeBatch } from '../../conformance/make-batch.ts'

const makerOf = (topic: string, over: Partial<MessageOptions> = {}) =>
  createMessageMaker({
    topic: parseTopic(topic),
    defaultTopic: undefined,
    key: 'event_id',
    messageBytes: 1_000_000,
    sequence: { seed: 1, step: 2 },
    ...over,
  })

test('a message has the document as its value, the event id as key and id, and the time of the event', () => {
  const { messages } = makerOf('logs')(batchOf({ log: 'a' }))
  const [{ value, bytes: _bytes, ...rest }] = messages as [(typeof messages)[0]]
  const document = '{"log":"a","@timestamp":"2026-11-20T12:00:00.123456789Z","tag":"docker.web","sequence":1}'
  assert.equal(value.toString(), document)
  const id = 'AAAAAAAAAAAAAAA0.0'
  assert.deepEqual(rest, { index: 0, topic: 'logs', key: id, id, timeMs: Date.UTC(2026, 10, 20, 12, 0, 0, 123) })
})

test('the topic comes from the tag: <app>.<level> goes to `info`, `error`', () => {
  const tags = ['shop.info', 'shop.cart.error', 'a/b.warn:1']
  const batch = makeBatch(tags.map((tag) => ({ tag, events: [{ record: {} }] })))
  assert.deepEqual(
    makerOf('{tag[-1]}')(batch).messages.map(({ topic }) => topic),
    ['info', 'error', 'warn_1'],
  )
})

test('the topic comes from a field; without it there is the default, or a dead letter', () => {
  const batch = batchOf({ level: 'warn' }, { level: 3 }, { level: '' }, {})
  const { messages, rejected } = makerOf('logs-{record.level}')(batch)
  assert.deepEqual(
    messages.map(({ topic }) => topic),
    ['logs-warn', 'logs-3'],
  )
  assert.deepEqual(
    rejected.map(({ index, reason }) => [index, reason]),
    [
      [2, 'no_topic'],
      [3, 'no_topic'],
    ],
  )
  const all = makerOf('logs-{record.level}', { defaultTopic: 'rest' })(batch).messages
  assert.deepEqual(
    all.map(({ topic }) => topic),
    ['logs-warn', 'logs-3', 'rest', 'rest'],
  )
})

test('events cannot name more topics than the limit', () => {
  const maker = makerOf('{record.n}', { defaultTopic: 'rest' })
  const records = Array.from({ length: TOPICS_MAX + 2 }, (_, n) => ({ n }))
  const topics = new Set(maker(batchOf(...records)).messages.map(({ topic }) => topic))
  assert.equal(topics.size, TOPICS_MAX + 1)
  assert.ok(topics.has('rest'))
})

const NAMES = [
  ['{tag}', 'a.b', 'a.b'],
  ['{tag[0]}-x', 'a.b', 'a-x'],
  ['{tag[2]}', 'a.b', undefined],
  ['{tag}', '..', undefined],
  ['{tag}', 'ü\0/../x', '___.._x'],
  ['{tag}', 'x'.repeat(300), 'x'.repeat(249)],
] as const
for (const [template, tag, expected] of NAMES) {
  test(`${template} of ${JSON.stringify(tag.slice(0, 10))} is ${String(expected).slice(0, 10)}`, () => {
    assert.equal(
      renderTopic(parseTopic(template), tag, () => undefined),
      expected,
    )
  })
}

for (const template of ['', 'a b', '{tg}', 'a/{tag}', '{tag[x]}']) {
  test(`the template \`${template}\` is refused with a reason`, () => assert.throws(() => parseTopic(template), /`/))
}

test('keys: the tag, a field, none', () => {
  const batch = batchOf({ user: 'ann' }, {})
  const keysOf = (key: MessageOptions['key']) => makerOf('t', { key })(batch).messages.map((message) => message.key)
  assert.deepEqual(keysOf('tag'), ['docker.web', 'docker.web'])
  assert.deepEqual(keysOf({ field: 'user' }), ['ann', undefined])
  assert.deepEqual(keysOf('none'), [undefined, undefined])
})

test('a message over the limit is refused, its neighbours are not', () => {
  const { messages, rejected } = makerOf('t', { messageBytes: 2_000 })(batchOf({}, { log: 'x'.repeat(2_000) }, {}))
  assert.deepEqual([messages.length, rejected[0]!.index, rejected[0]!.reason], [2, 1, 'message_too_large'])
})

const FAILURES = [
  [{ apiId: 'MESSAGE_TOO_LARGE' }, 'split', 'message_too_large'],
  [{ code: 'PLT_KFK_MULTIPLE', errors: [{ apiId: 'TOPIC_AUTHORIZATION_FAILED' }] }, 'blocked', 'blocked'],
  [{ code: 'PLT_KFK_AUTHENTICATION' }, 'blocked', 'blocked'],
  [{ code: 'PLT_KFK_MULTIPLE', errors: [{ code: 'PLT_KFK_TIMEOUT' }] }, 'retry', 'timeout'],
  [{ code: 'PLT_KFK_NETWORK', cause: { code: 'ECONNREFUSED' } }, 'retry', 'network'],
  [{ code: 'PLT_KFK_PROTOCOL', apiId: 'NOT_ENOUGH_REPLICAS' }, 'retry', 'unavailable'],
  [new Error('odd'), 'retry', 'other'],
] as const
for (const [error, fault, reason] of FAILURES) {
  test(`failure: ${JSON.stringify(error)}`, () => {
    const found = classifyFailure(error)
    assert.deepEqual([found.fault, found.reason], [fault, reason])
  })
}
