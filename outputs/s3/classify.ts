/**
 * What a failure of the S3 API means for the part that was to be stored. Pure.
 *
 *   PreconditionFailed (412)                     the key is taken: by this part already, or by another object
 *   credentials, rights, no such bucket, clock   blocked until an operator mends it
 *   SlowDown, 429, 503                           again, later
 *   everything else, no connection, no answer    again
 */
import { OutputError } from '../output.ts'

/** Faults that only an operator can mend. ["Error responses", Amazon S3 API Reference] */
const OPERATOR_FAULTS: ReadonlySet<string> = new Set([
  'AccessDenied',
  'AccountProblem',
  'AllAccessDisabled',
  'AuthorizationHeaderMalformed',
  'CredentialsProviderError',
  'EntityTooLarge',
  'ExpiredToken',
  'Forbidden',
  'InvalidAccessKeyId',
  'InvalidBucketName',
  'InvalidToken',
  'KeyTooLongError',
  'MethodNotAllowed',
  'NoSuchBucket',
  'NotImplemented',
  'PermanentRedirect',
  'RequestTimeTooSkewed',
  'SignatureDoesNotMatch',
])

/** What the client throws, as far as it is read. */
interface Failure {
  readonly name?: string
  readonly message?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
}

export const failureName = (error: unknown) => ((error ?? {}) as Failure).name ?? ''
const statusOf = (error: unknown) => ((error ?? {}) as Failure).$metadata?.httpStatusCode

/** `If-None-Match: *` was not met: there is an object with this key. */
export function isTaken(error: unknown): boolean {
  return failureName(error) === 'PreconditionFailed' || statusOf(error) === 412
}

export function classifyFailure(error: unknown): OutputError {
  const { message = String(error) } = (error ?? {}) as Failure
  const name = failureName(error)
  const status = statusOf(error)
  const words = message === '' || message === name ? `${name} (${status ?? 'no answer'})` : `${name}: ${message}`
  const options = { cause: error }
  if (OPERATOR_FAULTS.has(name) || status === 403 || status === 401) {
    return new OutputError('blocked', 'blocked', words, options)
  }
  if (status === 503 || status === 429 || name === 'SlowDown') {
    return new OutputError('retry', 'throttled', words, options)
  }
  if (name === 'TimeoutError') return new OutputError('retry', 'timeout', words, options)
  return new OutputError('retry', status === undefined ? 'network' : 'unavailable', words, options)
}
