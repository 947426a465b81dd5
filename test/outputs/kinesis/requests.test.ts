/** Requests to Kinesis: cut to its limits, answered record by record, and only what failed goes again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { classifyFailure, type RecordAnswer } from '../../../outputs/kinesis/classify.ts'
import type { KinesisRecord } from '../../../outputs/kinesis/records.ts'
import { type PutRequest, putAll } from '../../../outputs/kinesis/requests.ts'
import { StreamRate } from '../../../outputs/kinesis/stream-rate.ts'
import { OutputError } from '../../../outputs/output.ts'
import type { Clock } from '../../../server/core/clock.ts'

const never = new AbortController().signal

/** A clock that stands still until somebody sleeps. */
function sleepingClock(): Clock & { slept: number; pass(ms: number): void } {
  let now = 0
  const clock = {
    slept: 0,
    now: () => now,
    monotonic: () => now,
    sleep: async (ms: number) => {
      now += ms
      clock.slept += ms
    },
    pass: (ms: number) => {
      now += ms
    },
  }
  return clock
}

const recordsOf = (count: number, bytes = 100): KinesisRecord[] =>
  Array.from({ length: count }, (_, first) => ({ data: new Uint8Array(bytes), key: 'k', first, count: 1, bytes }))

const partsOf = (put: PutRequest, over: { requestBytes?: number; concurrency?: number } = {}) => ({
  put,
  rate: new StreamRate(sleepingClock()),
  load: { took: () => {} },
  limits: { requestBytes: 5 * 2 ** 20, concurrency: 1, ...over },
  signal: never,
  classifyFailure,
})
const kept: RecordAnswer = {}
const throttled: RecordAnswer = { ErrorCode: 'ProvisionedThroughputExceededException' }

test('a request has 500 records and its share of bytes at most', async () => {
  const sizes: number[] = []
  const put: PutRequest = async (records) => {
    sizes.push(records.length)
    return records.map(() => kept)
  }
  await putAll(recordsOf(1_200), partsOf(put))
  await putAll(recordsOf(10, 600_000), partsOf(put, { requestBytes: 2 ** 20 * 2 }))
  assert.deepEqual(sizes, [500, 500, 200, 3, 3, 3, 1])
})

test('84: only the records that failed go again, throttled ones first of all reasons', async () => {
  const put: PutRequest = async (records) =>
    records.map(({ first }) =>
      first % 3 === 0 ? throttled : first % 3 === 1 ? { ErrorCode: 'InternalFailure' } : kept,
    )
  const result = await putAll(recordsOf(6), partsOf(put))
  assert.deepEqual(result, { rejected: [], pending: [0, 1, 3, 4], pendingReason: 'throttled' })
})

test('what was kept before a request failed stays kept', async () => {
  let calls = 0
  const put: PutRequest = async (records) => {
    calls += 1
    if (calls > 1) throw Object.assign(new Error('reset'), { name: 'Error' })
    return records.map(() => kept)
  }
  const { pending } = await putAll(recordsOf(1_500), partsOf(put))
  assert.deepEqual([calls, pending.length, pending[0]], [2, 1_000, 500])
})

test('when nothing was kept the fault is the whole answer', async () => {
  const put: PutRequest = async () => {
    throw Object.assign(new Error('no such stream'), { name: 'ResourceNotFoundException' })
  }
  const failure = await putAll(recordsOf(3), partsOf(put)).catch((error) => error)
  assert.ok(failure instanceof OutputError)
  assert.equal(failure.fault, 'blocked')
})

test('a request that is refused whole is halved until the culprit stands alone', async () => {
  const put: PutRequest = async (records) => {
    if (records.some(({ first }) => first === 5)) {
      throw Object.assign(new Error('too long'), { name: 'ValidationException', $metadata: { httpStatusCode: 400 } })
    }
    return records.map(() => kept)
  }
  const result = await putAll(recordsOf(8), partsOf(put))
  const detail = 'ValidationException: too long'
  assert.deepEqual(result, { rejected: [{ index: 5, reason: 'ValidationException', detail }], pending: [] })
})

test('an aggregated record that failed is all of its events', async () => {
  const [record] = recordsOf(1)
  const put: PutRequest = async () => [throttled]
  const { pending } = await putAll([{ ...record!, first: 4, count: 3 }], partsOf(put))
  assert.deepEqual(pending, [4, 5, 6])
})

test('the rate follows what the stream takes, down at once and up again with time', async () => {
  const clock = sleepingClock()
  const rate = new StreamRate(clock)
  await rate.take(10_000, never)
  assert.equal(clock.slept, 0, 'nothing is held back before a complaint')
  rate.answered(2_000, 500)
  assert.equal(rate.perSecond, 1_800)
  await rate.take(1_800, never)
  await rate.take(900, never)
  assert.equal(clock.slept, 1_000)
  clock.pass(1_000)
  rate.answered(900, 0)
  assert.equal(Math.round(rate.perSecond), 1_980)
})

const FAILURES = [
  ['LimitExceededException', 400, 'retry', 'throttled'],
  ['AccessDeniedException', 400, 'blocked', 'blocked'],
  ['ExpiredTokenException', 400, 'blocked', 'blocked'],
  ['InternalFailure', 500, 'retry', 'unavailable'],
  ['TimeoutError', undefined, 'retry', 'timeout'],
  ['Error', undefined, 'retry', 'network'],
] as const
for (const [name, httpStatusCode, fault, reason] of FAILURES) {
  test(`failure: ${name} ${httpStatusCode ?? ''}`, () => {
    const $metadata = httpStatusCode === undefined ? undefined : { httpStatusCode }
    const found = classifyFailure(Object.assign(new Error('said'), { name, $metadata }))
    assert.deepEqual([found.fault, found.reason], [fault, reason])
  })
}
