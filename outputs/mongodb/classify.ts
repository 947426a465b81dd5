/**
 * What an answer of MongoDB means for the documents that were sent. Pure: answers and errors in, verdicts out.
 * By code, never by text, which differs from server to server.
 *
 *   write error 11000                     done: the document with this `_id` is there already
 *   write error, of the document          refused for good
 *   write error, of the server            again
 *   write concern not met                 again: nobody knows what a failover keeps (the ids are fixed)
 *   command refused: credentials, rights  blocked
 *   command refused: too large, no BSON   split until the culprit stands alone
 *   no server, no connection, no answer   retry
 */
import { OutputError, type Rejection, type RetryReason, type WriteResult } from '../output.ts'

const DUPLICATE_KEY = 11_000
/** Characters of the destination's words that are kept. */
const DETAIL_MAX = 1_000

/** Unauthorized, AuthenticationFailed, InvalidNamespace, CommandNotSupportedOnView, CannotCreateCollection… */
const OPERATOR_CODES: ReadonlySet<number> = new Set([13, 18, 20, 73, 166, 8000])
/** BadValue, FailedToParse, InvalidLength, InvalidBSON, BSONObjectTooLarge, and the codes of older servers for them. */
const COMMAND_CODES: ReadonlySet<number> = new Set([2, 9, 16, 22, 10_334, 17_419, 17_420, 13_548])
/** Of single documents; of unknown faults MongoDB is asked again, since a document is not given up for a guess. */
const DOCUMENT_CODES: ReadonlySet<number> = new Set([
  2, // BadValue
  9, // FailedToParse
  14, // TypeMismatch
  22, // InvalidBSON
  28, // PathNotViable
  52, // DollarPrefixedFieldName
  53, // InvalidIdField
  54, // NotSingleValueField
  55, // InvalidDBRef
  56, // EmptyFieldName
  57, // DottedFieldName
  67, // CannotCreateIndex: a text or geo index cannot take this document
  121, // DocumentValidationFailure
  10_334, // BSONObjectTooLarge
  16_755, // cannot extract geo keys
  17_280, // KeyTooLong
])

/** An answer of the `insert` command, as far as it is read. */
export interface InsertAnswer {
  readonly writeErrors?: readonly WriteError[]
  readonly writeConcernError?: { readonly errmsg?: string }
}
interface WriteError {
  readonly index: number
  readonly code: number
  readonly errmsg?: string
}

/**
 * @returns the verdict, by number of the document within the command.
 * @throws OutputError when nobody knows what was kept.
 */
export function classifyAnswer({ writeErrors = [], writeConcernError }: InsertAnswer): WriteResult {
  if (writeConcernError !== undefined) {
    throw new OutputError('retry', 'unavailable', `the write concern was not met: ${writeConcernError.errmsg ?? ''}`)
  }
  const rejected: Rejection[] = []
  const pending: number[] = []
  for (const { index, code, errmsg = '' } of [...writeErrors].sort((a, b) => a.index - b.index)) {
    if (code === DUPLICATE_KEY) continue
    if (DOCUMENT_CODES.has(code)) rejected.push({ index, reason: `code_${code}`, detail: errmsg.slice(0, DETAIL_MAX) })
    else pending.push(index)
  }
  return pending.length === 0 ? { rejected, pending } : { rejected, pending, pendingReason: 'unavailable' }
}

/** What the driver throws, as far as it is read. */
interface Failure {
  readonly name?: string
  readonly code?: number | string
  readonly message?: string
}

/** The OutputError of a command that has no answer, or was refused as a whole. */
export function classifyFailure(error: unknown): OutputError {
  const { name = '', code, message = String(error) } = (error ?? {}) as Failure
  const options = { cause: error }
  if (name === 'MongoServerError' && typeof code === 'number') {
    if (OPERATOR_CODES.has(code)) return new OutputError('blocked', 'blocked', message, options)
    if (COMMAND_CODES.has(code)) return new OutputError('split', `code_${code}`, message, options)
    return new OutputError('retry', 'unavailable', message, options)
  }
  return new OutputError('retry', reasonOf(name), message, options)
}

function reasonOf(name: string): RetryReason {
  if (name === 'MongoNetworkTimeoutError' || name === 'MongoOperationTimeoutError') return 'timeout'
  return /Network|ServerSelection|Pool|Topology/.test(name) ? 'network' : 'other'
}
