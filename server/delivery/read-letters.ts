/** Dead letters as they are listed and shown, out of the folder of one output: with or without a server. */
import { Unpackr } from 'msgpackr'
import { formatJson, type Json } from '../core/event-text.ts'
import type { LetterCause, LetterPage, LetterQuery, LetterSummary, ShownLetter } from '../core/output-desk.ts'
import { entryRecordAt, entryTimeAt, readTimeNanoseconds, readTimeSeconds } from '../core/packed-entries.ts'
import { fileNames, readLetterFile, type StoredLetter } from './dead-letter-files.ts'
import type { DeadLetter } from './dead-letter-format.ts'

/** Causes are the destination's words: those beyond are counted together. */
export const CAUSES_MAX = 100
const OTHER_CAUSES = 'other causes'
/** Packed bytes of the events of one page; one event at least. */
const PAGE_BYTES_MAX = 4 * 2 ** 20

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true })

export async function summarise(output: string, directory: string): Promise<LetterSummary> {
  const causes = new Map<string, LetterCause>()
  let letters = 0
  let bytes = 0
  for (const file of await fileNames(directory)) {
    for (const { letter } of await readLetterFile(directory, file)) {
      letters += 1
      bytes += letter.entry.byteLength
      count(causes, letter)
    }
  }
  return { output, letters, bytes, causes: [...causes.values()].sort((a, b) => b.letters - a.letters) }
}

function count(causes: Map<string, LetterCause>, { reason, refusedMs }: DeadLetter): void {
  const cause = causes.has(reason) || causes.size < CAUSES_MAX ? reason : OTHER_CAUSES
  const { letters, oldestMs, newestMs } = causes.get(cause) ?? { letters: 0, oldestMs: refusedMs, newestMs: refusedMs }
  causes.set(cause, {
    cause,
    letters: letters + 1,
    oldestMs: Math.min(oldestMs, refusedMs),
    newestMs: Math.max(newestMs, refusedMs),
  })
}

/** What is looked for, and how much of it at a time. */
export interface Search extends LetterQuery {
  readonly bytesMax: number
  readonly isWanted?: (letter: DeadLetter) => boolean
}

/** Letters in the order they came, and where the next search goes on; undefined: there are no more. */
export interface Found {
  readonly letters: readonly StoredLetter[]
  readonly next: string | undefined
}

/** @param search `from` is a file and how many of the wanted letters in it are passed: `00000001.dlq+20`. */
export async function findLetters(directory: string, search: Search): Promise<Found> {
  const { cause, limit, bytesMax, isWanted = () => true } = search
  const [fromFile = '', skipped = '0'] = search.from?.split('+') ?? []
  const letters: StoredLetter[] = []
  let bytes = 0
  for (const file of await fileNames(directory)) {
    if (file < fromFile) continue
    let passed = 0
    const skip = file === fromFile ? Number(skipped) : 0
    for (const stored of await readLetterFile(directory, file)) {
      const { letter } = stored
      if ((cause !== undefined && letter.reason !== cause) || !isWanted(letter)) continue
      if (passed++ < skip) continue
      bytes += letter.entry.byteLength
      if (letters.length === limit || (letters.length > 0 && bytes > bytesMax))
        return { letters, next: `${file}+${passed - 1}` }
      letters.push(stored)
    }
  }
  return { letters, next: undefined }
}

export async function showLetters(directory: string, query: LetterQuery): Promise<LetterPage> {
  const { letters, next } = await findLetters(directory, { ...query, bytesMax: PAGE_BYTES_MAX })
  return { letters: letters.map(({ letter }) => shown(letter)), ...(next !== undefined && { next }) }
}

function shown(letter: DeadLetter): ShownLetter {
  const { reason: cause, detail, attempts, refusedMs, receivedMs, position, id, tag, entry } = letter
  return { cause, detail, attempts, refusedMs, receivedMs, position, id, tag, ...eventOf(entry) }
}

/** A record may hold what only msgpack can say, such as an extension: then the bytes are shown. */
function eventOf(entry: Uint8Array): Pick<ShownLetter, 'time' | 'record' | 'packed'> {
  try {
    const at = entryTimeAt(entry, 0)
    const ms = readTimeSeconds(entry, at) * 1_000 + Math.floor(readTimeNanoseconds(entry, at) / 1e6)
    const record = unpackr.unpack(entry.subarray(entryRecordAt(entry, 0, entry.byteLength)))
    return { ...(ms > 0 && { time: new Date(ms).toISOString() }), record: formatJson(asJson(record)) }
  } catch {
    return { packed: Buffer.from(entry).toString('base64') }
  }
}

function asJson(value: unknown): Json {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8')
  if (Array.isArray(value)) return value.map(asJson)
  if (typeof value !== 'object' || value === null || value instanceof Date) return value as Json
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asJson(item)]))
}
