/** What failures of the S3 API mean. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { classifyFailure, isTaken } from '../../../outputs/s3/classify.ts'

const failure = (name: string, status?: number, message = 'words') =>
  Object.assign(new Error(message), {
    name,
    ...(status === undefined ? {} : { $metadata: { httpStatusCode: status } }),
  })

const CASES: readonly [string, Error, string, string][] = [
  ['a wrong key', failure('InvalidAccessKeyId', 403), 'blocked', 'blocked'],
  ['a wrong secret', failure('SignatureDoesNotMatch', 403), 'blocked', 'blocked'],
  ['a 403 whose name nobody knows', failure('403', 403), 'blocked', 'blocked'],
  ['no bucket', failure('NoSuchBucket', 404), 'blocked', 'blocked'],
  ['no credentials at all', failure('CredentialsProviderError'), 'blocked', 'blocked'],
  ['another region', failure('PermanentRedirect', 301), 'blocked', 'blocked'],
  ['too fast', failure('SlowDown', 503), 'retry', 'throttled'],
  ['a fault of the server', failure('InternalError', 500), 'retry', 'unavailable'],
  ['an upload that is gone', failure('NoSuchUpload', 404), 'retry', 'unavailable'],
  ['two writers at once', failure('ConditionalRequestConflict', 409), 'retry', 'unavailable'],
  ['no answer in time', failure('TimeoutError'), 'retry', 'timeout'],
  ['no connection', failure('Error'), 'retry', 'network'],
]
for (const [title, error, fault, reason] of CASES) {
  test(`${title}: ${fault} (${reason})`, () => {
    const classified = classifyFailure(error)
    assert.deepEqual([classified.fault, classified.reason], [fault, reason])
    assert.match(classified.message, /: words$/)
  })
}

test('a failure without words says its status', () => {
  assert.equal(classifyFailure(failure('Forbidden', 403, '')).message, 'Forbidden (403)')
})

test('412 and its name are a key that is taken, and nothing else is', () => {
  assert.ok(isTaken(failure('PreconditionFailed', 412)))
  assert.ok(isTaken(failure('Unknown', 412)))
  assert.ok(!isTaken(failure('ConditionalRequestConflict', 409)))
})
