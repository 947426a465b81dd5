/**
 * What an answer of PutRecords means for the records that were sent. Pure: answers and errors in, verdicts out.
 *
 *   record without an error code                          done
 *   record throttled (ProvisionedThroughputExceeded…)     again; the stream is asked for less
 *   record with any other code (InternalFailure, KMS…)    again
 *   request throttled, KMS throttled                      again
 *   request refused: credentials, rights, no such stream  blocked
 *   request refused: ValidationException, too large       split until the culprit stands alone
 *   no connection, no answer, 5xx                         retry
 */
import { OutputError, type RetryReason } from '../output.ts'

export interface RecordAnswer {
  readonly ShardId?: string | undefined
  readonly ErrorCode?: string | undefined
  readonly ErrorMessage?: string | undefined
}

/** Why a record was not kept; undefined: it was. */
export function classifyRecord({ ErrorCode: code }: RecordAnswer): RetryReason | undefined {
  if (code === undefined || code === '') return undefined
  return isThrottle(code) ? 'throttled' : 'unavailable'
}

const isThrottle = (code: string) => /Throughput|Throttl|LimitExceeded|SlowDown/.test(code)

/** Faults that only an operator can mend, by the name that AWS or its client gives them. */
const OPERATOR_FAULTS: ReadonlySet<string> = new Set([
  'AccessDeniedException',
  'CredentialsProviderError',
  'ExpiredTokenException',
  'IncompleteSignature',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'KMSAccessDeniedException',
  'KMSDisabledException',
  'KMSInvalidStateException',
  'KMSNotFoundException',
  'KMSOptInRequired',
  'MissingAuthenticationTokenException',
  'ResourceNotFoundException',
  'SignatureDoesNotMatch',
  'SubscriptionRequiredException',
  'UnrecognizedClientException',
])
const BODY_FAULTS: ReadonlySet<string> = new Set([
  'InvalidArgumentException',
  'RequestEntityTooLarge',
  'SerializationException',
  'ValidationException',
])

/** What the client throws, as far as it is read. */
interface Failure {
  readonly name?: string
  readonly message?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
}

/** The OutputError of a request that has no answer, or was refused as a whole. */
export function classifyFailure(error: unknown): OutputError {
  const { name = '', message = String(error), $metadata } = (error ?? {}) as Failure
  const status = $metadata?.httpStatusCode
  const words = `${name}: ${message}`
  const options = { cause: error }
  if (OPERATOR_FAULTS.has(name)) return new OutputError('blocked', 'blocked', words, options)
  if (isThrottle(name) || status === 429) return new OutputError('retry', 'throttled', words, options)
  if (status === 413 || BODY_FAULTS.has(name)) return new OutputError('split', name || 'too_large', words, options)
  if (name === 'TimeoutError') return new OutputError('retry', 'timeout', words, options)
  return new OutputError('retry', status === undefined ? 'network' : 'unavailable', words, options)
}
