/**
 * What each answer of the bulk API means. The errors are those that Elasticsearch 7, 8, 9 and OpenSearch 3 really
 * gave.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { classifyAnswer, classifyFailure } from '../../../outputs/elasticsearch/classify.ts'
import { OutputError } from '../../../outputs/output.ts'

const NOW = Date.UTC(2026, 10, 20)
const ok = { create: { status: 201 } }
const item = (status: number, type: string, reason = 'because') => ({ create: { status, error: { type, reason } } })

function classify(items: readonly object[], count = items.length) {
  return classifyAnswer({ status: 200, body: { errors: true, items } }, count, NOW)
}

function faultOf(run: () => unknown): OutputError {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof OutputError)
    return error
  }
  return assert.fail('nothing was thrown')
}

test('an answer without errors accepts all, and nothing more is looked at', () => {
  const answer = { status: 200, body: { errors: false } }
  assert.deepEqual(classifyAnswer(answer, 5_000, NOW), { rejected: [], pending: [] })
})

const done = [item(409, 'version_conflict_engine_exception'), { create: { status: 200 } }, { index: { status: 201 } }]
for (const one of done) {
  test(`done: ${JSON.stringify(one)}`, () => assert.deepEqual(classify([one]), { rejected: [], pending: [] }))
}

const refused: [number, string, string][] = [
  [400, 'document_parsing_exception', 'failed to parse field [n] of type [long]'],
  [400, 'mapper_parsing_exception', 'failed to parse field [n] of type [long]'],
  [400, 'illegal_argument_exception', 'Limit of total fields [1000] has been exceeded'],
  [400, 'strict_dynamic_mapping_exception', 'mapping set to strict'],
  [413, 'circuit_breaking_exception', 'too large'],
]
for (const [status, type, reason] of refused) {
  test(`refused for good: ${status} ${type}`, () => {
    const expected = { rejected: [{ index: 1, reason: type, detail: reason }], pending: [] }
    assert.deepEqual(classify([ok, item(status, type, reason), ok]), expected)
  })
}

const again: [number, string, string][] = [
  [429, 'es_rejected_execution_exception', 'throttled'],
  [429, 'rejected_execution_exception', 'throttled'],
  [429, 'cluster_block_exception', 'throttled'],
  [503, 'unavailable_shards_exception', 'unavailable'],
  [500, 'illegal_state_exception', 'unavailable'],
  [403, 'cluster_block_exception', 'blocked'],
  [403, 'security_exception', 'blocked'],
  [404, 'index_not_found_exception', 'blocked'],
]
for (const [status, type, pendingReason] of again) {
  test(`to be tried again, ${pendingReason}: ${status} ${type}`, () => {
    assert.deepEqual(classify([ok, item(status, type)]), { rejected: [], pending: [1], pendingReason })
  })
}

const blocking: [number, string, string][] = [
  [403, 'cluster_block_exception', 'index [a] blocked by: [FORBIDDEN/8/index write (api)];'],
  [404, 'index_not_found_exception', 'no such index [a] and [action.auto_create_index] is [false]'],
  [400, 'index_closed_exception', 'closed'],
  [400, 'validation_exception', 'Validation Failed: 1: this action would add [2] shards, but this cluster …'],
  [400, 'invalid_index_name_exception', 'Invalid index name [a b]'],
  [400, 'illegal_argument_exception', 'pipeline with id [missing] does not exist'],
  [400, 'illegal_argument_exception', 'no write index is defined for alias [logs]. The write index may …'],
]
for (const [status, type, reason] of blocking) {
  test(`blocked when it is so for all: ${status} ${type}: ${reason}`, () => {
    const fault = faultOf(() => classify([item(status, type, reason), item(status, type, reason)]))
    assert.deepEqual([fault.fault, fault.message], ['blocked', `${type}: ${reason}`])
  })
}

test('a mixture keeps every index', () => {
  const items = [ok, item(429, 'a'), item(400, 'b'), item(503, 'c'), item(409, 'd'), item(404, 'e'), item(400, 'f')]
  const result = classify(items)
  assert.deepEqual(result.pending, [1, 3, 5])
  assert.equal(result.pendingReason, 'throttled')
  assert.deepEqual(
    result.rejected.map(({ index, reason }) => [index, reason]),
    [
      [2, 'b'],
      [6, 'f'],
    ],
  )
})

test('the words of a refusal name its causes and are cut', () => {
  const error = { type: 't', reason: 'outer', caused_by: { type: 'u', reason: 'x'.repeat(5_000) } }
  const [rejection] = classify([{ create: { status: 400, error } }]).rejected
  assert.equal(rejection?.detail.length, 1_000)
  assert.ok(rejection?.detail.startsWith('outer: xxx'))
})

const TOO_LARGE =
  'rejected execution of primary operation [coordinating_and_primary_bytes=18000160, replica_bytes=0, ' +
  'all_bytes=18000160, primary_operation_bytes=72000032, max_primary_bytes=53687091]'

test('what is more than the server can ever hold is split, since waiting does not help', () => {
  const large = item(429, 'es_rejected_execution_exception', TOO_LARGE)
  assert.equal(faultOf(() => classify([large, large])).fault, 'split')
  assert.deepEqual(classify([ok, large]).pending, [1], 'the rest is tried alone first')
  const busy = TOO_LARGE.replace('72000032', '32000')
  assert.deepEqual(classify([item(429, 'es_rejected_execution_exception', busy)]).pendingReason, 'throttled')
})

test('an answer with fewer items than events says nothing of any of them', () => {
  const fault = faultOf(() => classify([ok], 2))
  assert.deepEqual([fault.fault, fault.message], ['retry', 'the answer holds 1 items for 2 events'])
})

const es = (type: string, reason = 'because') => ({ error: { type, reason }, status: 0 })
const requests: [string, number, unknown, string, string][] = [
  ['an empty 413', 413, '', 'split', 'too_large'],
  ['a body that is not understood', 400, es('illegal_argument_exception', 'Malformed action'), 'split', ''],
  ['an _id that is too long', 400, es('action_request_validation_exception'), 'split', ''],
  ['a proxy that refuses', 400, '<html>The plain HTTP request was sent to HTTPS port</html>', 'blocked', 'blocked'],
  ['a media type that is refused', 400, es('media_type_header_exception'), 'blocked', 'blocked'],
  [
    'a setting that forbids it',
    400,
    es('illegal_argument_exception', 'explicit index in bulk is not allowed'),
    'blocked',
    '',
  ],
  ['wrong credentials', 401, es('security_exception'), 'blocked', 'blocked'],
  ['a cluster that is read-only', 403, es('cluster_block_exception'), 'blocked', 'blocked'],
  ['a wrong path', 404, '', 'blocked', 'blocked'],
  ['a redirect', 301, '', 'blocked', 'blocked'],
  ['a request time-out', 408, '', 'retry', 'unavailable'],
  ['too many requests', 429, es('es_rejected_execution_exception'), 'retry', 'throttled'],
  ['more than can ever be held', 429, es('es_rejected_execution_exception', TOO_LARGE), 'split', 'too_large'],
  ['a fault of the server', 500, es('illegal_state_exception'), 'retry', 'unavailable'],
  ['a bad gateway', 502, '<html>', 'retry', 'unavailable'],
  ['no master', 503, es('cluster_block_exception'), 'retry', 'unavailable'],
  ['a gateway time-out', 504, '', 'retry', 'unavailable'],
  ['a page instead of an answer', 200, '<html>', 'retry', 'other'],
  ['an answer of something else', 200, { ok: true }, 'retry', 'other'],
  ['nothing at all', 204, undefined, 'retry', 'other'],
]
for (const [name, status, body, fault, reason] of requests) {
  test(`a whole request: ${name} (${status}) is ${fault}`, () => {
    const found = faultOf(() => classifyAnswer({ status, body }, 3, NOW))
    assert.equal(found.fault, fault)
    if (reason !== '') assert.equal(found.reason, reason)
  })
}

const pauses: [string, number | undefined][] = [
  ['7', 7_000],
  ['0', 0],
  ['86400', 300_000],
  [new Date(NOW + 9_000).toUTCString(), 9_000],
  [new Date(NOW - 9_000).toUTCString(), 0],
  ['soon', undefined],
]
for (const [retryAfter, expected] of pauses) {
  test(`Retry-After: ${retryAfter}`, () => {
    assert.equal(faultOf(() => classifyAnswer({ status: 503, body: '', retryAfter }, 1, NOW)).retryAfterMs, expected)
  })
}

const named = (name: string, message: string) => Object.assign(new Error(message), { name })
const failures: [Error, string, string][] = [
  [named('ConnectionError', 'connect ECONNREFUSED 127.0.0.1:9200'), 'retry', 'network'],
  [named('ConnectionError', 'getaddrinfo ENOTFOUND search'), 'retry', 'network'],
  [named('TimeoutError', 'Request timed out'), 'retry', 'timeout'],
  [named('DeserializationError', 'Unexpected end of JSON input'), 'retry', 'other'],
  [named('ConnectionError', 'self-signed certificate'), 'blocked', 'blocked'],
  [named('ConnectionError', 'unable to verify the first certificate'), 'blocked', 'blocked'],
]
for (const [error, fault, reason] of failures) {
  test(`before an answer: ${error.message} is ${fault}`, () => {
    const found = classifyFailure(error)
    assert.deepEqual([found.fault, found.reason], [fault, reason])
  })
}
