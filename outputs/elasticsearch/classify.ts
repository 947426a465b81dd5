/**
 * What an answer of the bulk API means for the events that were sent. Pure: answers in, verdicts out.
 *
 *   item 2xx, 409        done: 409 says that the document with this id is there already
 *   item 429, 5xx, 408   again: throttled, unavailable
 *   item 401, 403, 404, closed index, no more shards …    again: blocked, since only an operator can mend it
 *   item, any other 4xx  refused for good
 *   items that exceed, all together, what the server can ever take at a time   split
 *
 *   request 413, or 400 with Elasticsearch's own error    split until the culprit stands alone
 *   request 408, 429, 5xx                                 retry
 *   request, anything else                                blocked
 */
import { OutputError, type Rejection, type RetryReason } from '../output.ts'

/** Characters of the destination's words that are kept. */
const DETAIL_MAX = 1_000
/** Longest pause that is granted, however long the destination asks for. */
const RETRY_AFTER_MAX_MS = 5 * 60_000

/** Faults of an item that have nothing to do with the document: by the name Elasticsearch and OpenSearch give them. */
const OPERATOR_FAULTS = new Set([
  'cluster_block_exception',
  'index_closed_exception',
  'index_create_block_exception',
  'index_not_found_exception',
  'invalid_alias_name_exception',
  'invalid_index_name_exception',
  'security_exception',
  // No room for another index: `cluster.max_shards_per_node`.
  'validation_exception',
])
/** Faults that share the name illegal_argument_exception with faults of documents. */
const OPERATOR_REASONS = new RegExp(
  [
    'no write index is defined for alias',
    'pipeline with id \\[',
    'only write ops with an op_type of create',
    'explicit index in bulk is not allowed',
  ].join('|'),
)
/** What Elasticsearch says of a body that it does not understand, as opposed to one that never reached it. */
const BODY_FAULTS = new Set([
  'action_request_validation_exception',
  'illegal_argument_exception',
  'json_parse_exception',
  'mapper_parsing_exception',
  'number_format_exception',
  'parse_exception',
  'parsing_exception',
  'x_content_parse_exception',
])

/**
 * How a 429 for lack of memory ends: bytes of this operation, and of all that there may be. Waiting does not help the
 * first over the second.
 */
const MEMORY_LIMIT = /operation_bytes=(\d+), max_\w+=(\d+)/

/** What became of the events of one body; indexes count within it. */
export interface ItemsVerdict {
  readonly rejected: readonly Rejection[]
  readonly pending: readonly number[]
  readonly pendingReason?: RetryReason
}

export interface BulkAnswer {
  readonly status: number
  readonly body: unknown
  readonly retryAfter?: string | undefined
}

const NOTHING_LEFT: ItemsVerdict = { rejected: [], pending: [] }

type Json = Readonly<Record<string, unknown>>
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null

/**
 * @param count events that were sent
 * @throws OutputError when nothing was accepted, or it cannot be told what was (writing again is harmless: the ids are
 * fixed)
 */
export function classifyAnswer({ status, body, retryAfter }: BulkAnswer, count: number, now: number): ItemsVerdict {
  if (status < 200 || status >= 300) throw requestFault(status, body, retryAfterMs(retryAfter, now))
  if (!isObject(body) || typeof body.errors !== 'boolean') {
    throw new OutputError('retry', 'other', 'the answer is not that of a bulk request; is `url` an Elasticsearch?')
  }
  if (!body.errors) return NOTHING_LEFT
  if (!Array.isArray(body.items) || body.items.length !== count) {
    const found = Array.isArray(body.items) ? body.items.length : 'no'
    throw new OutputError('retry', 'other', `the answer holds ${found} items for ${count} events`)
  }
  return classifyItems(body.items)
}

type Verdict = 'done' | 'rejected' | RetryReason

function classifyItems(items: readonly unknown[]): ItemsVerdict {
  const rejected: Rejection[] = []
  const pending: number[] = []
  const reasons = new Set<RetryReason>()
  let blocked: Rejection | undefined
  let tooLarge = 0
  for (const [index, item] of items.entries()) {
    const { status, error } = resultOf(item)
    const verdict = verdictOf(status, error)
    if (verdict === 'done') continue
    if (verdict === 'rejected') {
      rejected.push({ index, ...wordsOf(status, error) })
      continue
    }
    pending.push(index)
    reasons.add(verdict)
    if (verdict === 'blocked') blocked ??= { index, ...wordsOf(status, error) }
    if (isTooLarge(error)) tooLarge++
  }
  if (pending.length === 0) return { rejected, pending }
  if (tooLarge === items.length) throw new OutputError('split', 'too_large', 'more than the server can take at a time')
  const isBlocked = reasons.size === 1 && blocked !== undefined
  if (isBlocked && pending.length === items.length) {
    throw new OutputError('blocked', 'blocked', `${blocked!.reason}: ${blocked!.detail}`)
  }
  const pendingReason = isBlocked ? 'blocked' : reasons.has('throttled') ? 'throttled' : 'unavailable'
  return { rejected, pending, pendingReason }
}

/** `{"create": {"status": …, "error": {…}}}` */
function resultOf(item: unknown): { status: number; error: Json } {
  const result = isObject(item) ? Object.values(item)[0] : undefined
  if (!isObject(result)) return { status: 0, error: {} }
  const status = typeof result.status === 'number' ? result.status : 0
  return { status, error: isObject(result.error) ? result.error : {} }
}

function verdictOf(status: number, error: Json): Verdict {
  if ((status >= 200 && status < 300) || status === 409) return 'done'
  if (status === 429) return 'throttled'
  if (status < 400 || status >= 500 || status === 408) return 'unavailable'
  if (status === 401 || status === 403 || status === 404) return 'blocked'
  if (OPERATOR_FAULTS.has(String(error.type)) || OPERATOR_REASONS.test(String(error.reason))) return 'blocked'
  return 'rejected'
}

function isTooLarge(error: Json): boolean {
  const [, wanted, most] = MEMORY_LIMIT.exec(String(error.reason)) ?? []
  return wanted !== undefined && Number(wanted) > Number(most)
}

function wordsOf(status: number, error: Json): { reason: string; detail: string } {
  const causes: string[] = []
  for (let cause: unknown = error; isObject(cause) && causes.length < 5; cause = cause.caused_by) {
    if (typeof cause.reason === 'string') causes.push(cause.reason)
  }
  const reason = typeof error.type === 'string' ? error.type : `status ${status}`
  return { reason, detail: causes.join(': ').slice(0, DETAIL_MAX) }
}

function requestFault(status: number, body: unknown, retryAfter: number | undefined): OutputError {
  const error = isObject(body) ? (isObject(body.error) ? body.error : { reason: body.error }) : {}
  const { reason, detail } = wordsOf(status, error)
  const named = reason.startsWith('status') ? `answer ${status}` : `answer ${status} ${reason}`
  const words = detail === '' ? named : `${named}: ${detail}`
  const options = retryAfter === undefined ? {} : { retryAfterMs: retryAfter }
  if (status === 413 || isTooLarge(error)) return new OutputError('split', 'too_large', words)
  const isOfBody = BODY_FAULTS.has(reason) && !OPERATOR_REASONS.test(detail)
  if (status === 400 && isOfBody) return new OutputError('split', reason, words)
  if (status === 429) return new OutputError('retry', 'throttled', words, options)
  if (status === 408 || status >= 500) return new OutputError('retry', 'unavailable', words, options)
  return new OutputError('blocked', 'blocked', words)
}

/** Seconds or a date [RFC 9110, section 10.2.3]. */
function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS)
}

/** Certificates that are not trusted, expired or for another name: only an operator can mend that. */
const CERTIFICATE_FAULT = /certificate|self[- ]signed|altname|unable to (get|verify)|wrong version number|CERT_/i

/**
 * What the client threw before there was an answer. It is not kept as the cause: it holds the body and the
 * credentials.
 */
export function classifyFailure(error: unknown): OutputError {
  const { name, message } = error instanceof Error ? error : new Error(String(error))
  if (name === 'TimeoutError') return new OutputError('retry', 'timeout', 'no answer in time')
  if (name === 'DeserializationError') return new OutputError('retry', 'other', 'the answer was cut or is not JSON')
  if (CERTIFICATE_FAULT.test(message)) return new OutputError('blocked', 'blocked', message)
  return new OutputError('retry', 'network', message)
}
