/** Records in requests, several in flight; an answer is read record by record, so that only what failed goes again. */
import { OutputError, type Rejection, type RetryReason, type WriteResult } from '../output.ts'
import { classifyRecord, type RecordAnswer } from './classify.ts'
import type { KinesisRecord } from './records.ts'
import type { ShardLoad } from './shard-load.ts'
import type { StreamRate } from './stream-rate.ts'

/** Records of one request. [PutRecords] */
const REQUEST_RECORDS_MAX = 500
/** Characters of the destination's words that are kept. */
const DETAIL_MAX = 1_000

/** Sends one request. Rejects with the client's error when nothing of it was kept, as far as anybody knows. */
export type PutRequest = (records: readonly KinesisRecord[], signal: AbortSignal) => Promise<readonly RecordAnswer[]>

export interface PutParts {
  readonly put: PutRequest
  readonly rate: StreamRate
  readonly load: Pick<ShardLoad, 'took'>
  readonly limits: { readonly requestBytes: number; readonly concurrency: number }
  readonly signal: AbortSignal
  readonly classifyFailure: (error: unknown) => OutputError
}

/** What is known so far of a batch that is on its way. */
interface Progress {
  readonly pending: number[]
  readonly rejected: Rejection[]
  readonly reasons: Set<RetryReason>
  kept: number
  failure: OutputError | undefined
}

/**
 * @returns what has to be tried again and what was refused, ascending.
 * @throws OutputError when nothing was kept and a request had no answer or was refused.
 */
export async function putAll(records: readonly KinesisRecord[], parts: PutParts): Promise<WriteResult> {
  const requests = cutIntoRequests(records, parts.limits.requestBytes)
  const progress: Progress = { pending: [], rejected: [], reasons: new Set(), kept: 0, failure: undefined }
  let next = 0
  const sendOn = async () => {
    while (next < requests.length) await sendOne(requests[next++]!, parts, progress)
  }
  await Promise.all(Array.from({ length: parts.limits.concurrency }, sendOn))
  const { failure, kept, pending, rejected, reasons } = progress
  if (failure !== undefined && kept === 0 && rejected.length === 0) throw failure
  pending.sort((a, b) => a - b)
  rejected.sort((a, b) => a.index - b.index)
  if (pending.length === 0) return { rejected, pending }
  const pendingReason = reasons.has('blocked') ? 'blocked' : reasons.has('throttled') ? 'throttled' : 'unavailable'
  return { rejected, pending, pendingReason }
}

async function sendOne(request: readonly KinesisRecord[], parts: PutParts, progress: Progress): Promise<void> {
  const { put, rate, signal } = parts
  // After a fault of the whole the rest waits with it.
  if (progress.failure !== undefined) return putOff(request, 'unavailable', progress)
  await rate.take(request.length, signal)
  try {
    if (signal.aborted) throw new OutputError('retry', 'other', 'the write was stopped')
    const answers = await put(request, signal)
    if (answers.length !== request.length) throw new OutputError('retry', 'other', 'an answer of another length')
    readAnswers(request, answers, parts, progress)
  } catch (error) {
    const failure = error instanceof OutputError ? error : parts.classifyFailure(error)
    if (failure.fault === 'split') return await halve(request, failure, parts, progress)
    if (failure.reason === 'throttled') rate.answered(0, request.length)
    progress.failure = failure
    putOff(request, failure.fault === 'blocked' ? 'blocked' : 'unavailable', progress)
  }
}

/** A request that was refused whole, here and not by the delivery: the other requests of the batch were kept. */
async function halve(
  request: readonly KinesisRecord[],
  failure: OutputError,
  parts: PutParts,
  progress: Progress,
): Promise<void> {
  if (request.length > 1) {
    const middle = Math.ceil(request.length / 2)
    await sendOne(request.slice(0, middle), parts, progress)
    return sendOne(request.slice(middle), parts, progress)
  }
  const { first, count } = request[0]!
  const refusal = { reason: failure.reason, detail: failure.message.slice(0, DETAIL_MAX) }
  for (let i = 0; i < count; i += 1) progress.rejected.push({ index: first + i, ...refusal })
}

function readAnswers(
  request: readonly KinesisRecord[],
  answers: readonly RecordAnswer[],
  { rate, load }: PutParts,
  progress: Progress,
): void {
  let throttled = 0
  for (const [at, record] of request.entries()) {
    const answer = answers[at]!
    const reason = classifyRecord(answer)
    if (reason === undefined) {
      progress.kept += 1
      load.took(answer.ShardId ?? '', record.bytes)
    } else putOff([record], reason, progress)
    if (reason === 'throttled') throttled += 1
  }
  rate.answered(request.length - throttled, throttled)
}

function putOff(records: readonly KinesisRecord[], reason: RetryReason, { pending, reasons }: Progress): void {
  reasons.add(reason)
  for (const { first, count } of records) for (let i = 0; i < count; i += 1) pending.push(first + i)
}

function cutIntoRequests(records: readonly KinesisRecord[], bytesMax: number): KinesisRecord[][] {
  const requests: KinesisRecord[][] = []
  let current: KinesisRecord[] = []
  let bytes = 0
  for (const record of records) {
    if (current.length > 0 && (current.length === REQUEST_RECORDS_MAX || bytes + record.bytes > bytesMax)) {
      requests.push(current)
      current = []
      bytes = 0
    }
    current.push(record)
    bytes += record.bytes
  }
  if (current.length > 0) requests.push(current)
  return requests
}
