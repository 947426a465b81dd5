/**
 * What the client's failure means for the messages of one send. Pure. The names are those of Kafka's protocol.
 *
 *   credentials, rights, no such topic     blocked
 *   too large for the broker               split until the culprit stands alone
 *   anything else                          retry: the event ids tell what came twice
 */
import { OutputError, type RetryReason } from '../output.ts'

const OPERATOR_FAULTS: ReadonlySet<string> = new Set([
  'CLUSTER_AUTHORIZATION_FAILED',
  'ILLEGAL_SASL_STATE',
  'INVALID_REQUIRED_ACKS',
  'INVALID_TOPIC_EXCEPTION',
  'POLICY_VIOLATION',
  'SASL_AUTHENTICATION_FAILED',
  'TOPIC_AUTHORIZATION_FAILED',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'UNSUPPORTED_SASL_MECHANISM',
])
const SIZE_FAULTS: ReadonlySet<string> = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'])

/** What the client throws, as far as it is read: errors within errors. */
interface Failure {
  readonly code?: string
  /** Name of the error in the protocol. */
  readonly apiId?: string
  readonly message?: string
  readonly errors?: readonly Failure[]
  readonly cause?: Failure
}

/** The OutputError of a send that failed. */
export function classifyFailure(error: unknown): OutputError {
  const all = [...causesOf((error ?? {}) as Failure)]
  const named = all.find(({ apiId }) => apiId !== undefined)
  const words = [named?.apiId, named?.message ?? (error as Failure)?.message ?? String(error)]
    .filter(Boolean)
    .join(': ')
  const options = { cause: error }
  const has = (names: ReadonlySet<string>) => all.find(({ apiId }) => apiId !== undefined && names.has(apiId))
  const size = has(SIZE_FAULTS)
  if (size !== undefined) return new OutputError('split', size.apiId!.toLowerCase(), words, options)
  if (has(OPERATOR_FAULTS) !== undefined || all.some(({ code }) => code === 'PLT_KFK_AUTHENTICATION')) {
    return new OutputError('blocked', 'blocked', words, options)
  }
  return new OutputError('retry', reasonOf(all), words, options)
}

/** Errors nest, and hostile depth is not to be feared from a library: a few levels are enough. */
const DEPTH_MAX = 6

function* causesOf(error: Failure, depth = 0): Generator<Failure> {
  yield error
  if (depth === DEPTH_MAX) return
  for (const inner of [...(error.errors ?? []), ...(error.cause === undefined ? [] : [error.cause])]) {
    yield* causesOf(inner, depth + 1)
  }
}

function reasonOf(all: readonly Failure[]): RetryReason {
  if (all.some(({ code }) => code === 'PLT_KFK_TIMEOUT')) return 'timeout'
  if (all.some(({ code }) => code === 'PLT_KFK_NETWORK' || code?.startsWith('E') === true)) return 'network'
  return all.some(({ apiId }) => apiId !== undefined) ? 'unavailable' : 'other'
}
