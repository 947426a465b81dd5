/** Reads all records of a request into entries, whatever they are written in. */
import type { IncomingMessage } from 'node:http'
import type { Instant } from '../encoding/rfc3339.ts'
import { type BodyLimits, readBody } from './body.ts'
import { compressionOf, type Format, formatOf, sniffFormat } from './body-format.ts'
import { formField } from './form.ts'
import { JsonRecords } from './json-records.ts'
import { BodyFault, LIMITS, Refusal, tooLarge } from './limits.ts'
import { MsgpackRecords } from './msgpack-records.ts'
import type { Claim } from './pressure.ts'
import { RecordEntry } from './record-entry.ts'
import type { RecordReader } from './record-reader.ts'
import type { RequestEntries } from './request-entries.ts'
import { timeOf } from './target.ts'

export interface ReadOptions {
  readonly limits: BodyLimits
  /** The parameter `time` of the address. */
  readonly time: Instant | undefined
  readonly claim: Claim
  /** Counts bytes as they are unpacked. */
  readonly counted: (bytes: number) => void
}

/** @throws Refusal, BodyFault: nothing is to be stored. Rejects with the error of a connection that broke. */
export async function readRecords(raw: IncomingMessage, entries: RequestEntries, options: ReadOptions): Promise<void> {
  const format = formatOf(raw.headers['content-type'])
  const compression = compressionOf(raw.headers['content-encoding'])
  const body = readBody(raw, compression, options.limits)
  if (format === 'form') return readForm(body, entries, options)
  let reader: RecordReader | undefined
  for await (const chunk of body) {
    options.counted(chunk.length)
    if (chunk.length === 0) continue
    reader ??= createReader(format, chunk[0]!, options.time)
    await readChunk(reader, chunk, entries, options.claim)
  }
  if (reader === undefined) throw new BodyFault('the body is empty', 0)
  reader.end()
}

async function readChunk(reader: RecordReader, chunk: Buffer, entries: RequestEntries, claim: Claim): Promise<void> {
  reader.push(chunk)
  while (reader.next(entries.writer)) {
    entries.add()
    if (entries.isFull) await entries.spill()
  }
  claim.hold(reader.heldBytes + entries.heldBytes)
}

function createReader(format: Format, first: number, time: Instant | undefined): RecordReader {
  const kind = format === 'json' || format === 'msgpack' ? format : sniffFormat(first)
  if (kind === undefined) throw new BodyFault('neither JSON nor msgpack', 0)
  const entry = new RecordEntry(time)
  return kind === 'json' ? new JsonRecords(entry) : new MsgpackRecords(entry)
}

/**
 * A form with the field `json` or `msgpack`, and maybe `time`. A body that begins as JSON does is taken for it: that is
 * what `curl -d` sends when no content type is named.
 */
async function readForm(body: AsyncGenerator<Buffer>, entries: RequestEntries, options: ReadOptions): Promise<void> {
  const { claim, counted } = options
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    counted(chunk.length)
    bytes += chunk.length
    if (bytes > LIMITS.formBytes) throw tooLarge(LIMITS.formBytes, 'forms')
    // The form, and what is decoded of it.
    claim.hold(2 * bytes)
    chunks.push(Buffer.from(chunk))
  }
  const form = Buffer.concat(chunks)
  if (form.length > 0 && sniffFormat(form[0]!) === 'json') return readField(form, 'json', options.time, entries, claim)
  const time = options.time ?? timeOf(formField(form, 'time')?.toString() ?? null)
  for (const format of ['json', 'msgpack'] as const) {
    const field = formField(form, format)
    if (field !== undefined) return readField(field, format, time, entries, claim)
  }
  throw new Refusal(400, 'LB-H004', { parameter: 'json', reason: 'the form has neither `json` nor `msgpack`' })
}

async function readField(
  field: Buffer,
  format: Format,
  time: Instant | undefined,
  entries: RequestEntries,
  claim: Claim,
): Promise<void> {
  const reader = createReader(format, 0, time)
  await readChunk(reader, field, entries, claim)
  reader.end()
}
