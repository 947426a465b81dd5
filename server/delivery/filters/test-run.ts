/** Runs one case of `logboom test`: events go through a fresh chain, and what comes out is compared as text. */
import { Packr, Unpackr } from 'msgpackr'
import type { Batch, StoredStream } from '../../core/event.ts'
import { formatJson, type Json } from '../../core/event-text.ts'
import {
  entryRecordAt,
  entryTimeAt,
  nextEntry,
  readTimeNanoseconds,
  readTimeSeconds,
} from '../../core/packed-entries.ts'
import { createEntryBytes } from './entry-bytes.ts'
import type { FilterOrder } from './filter.ts'
import { openChain } from './open-chain.ts'

const packr = new Packr({ useRecords: false, variableMapSize: true })
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true })

export interface TestCase {
  readonly name: string
  readonly input: readonly TestEvent[]
  /** What comes out, in order; nothing: all is dropped. */
  readonly expect: readonly TestEvent[]
}

export interface TestEvent {
  readonly tag: string
  readonly record: Readonly<Record<string, unknown>>
  /** ISO 8601. Of an input: now, where it is left out; of what is expected: any. */
  readonly time: string | undefined
}

export interface CaseResult {
  readonly isSame: boolean
  /** What was expected with `-`, what came with `+`, what is in both with a blank. */
  readonly lines: readonly string[]
}

export function createCaseRunner(filters: readonly FilterOrder[]): (testCase: TestCase) => Promise<CaseResult> {
  return async ({ input, expect }) => {
    const chain = await openChain(filters, { monotonic: () => 0, count: () => {} })
    const now = Date.now()
    const streams = input.map((event, index) => streamOf(event, index, now))
    const { batch } = chain.run(batchOf(streams))
    const { batch: waited } = chain.expire(Number.POSITIVE_INFINITY)
    const came = [...batch.streams, ...waited.streams].flatMap((stream) => eventsOf(stream))
    return compare(expect, came)
  }
}

function streamOf({ tag, record, time }: TestEvent, position: number, now: number): StoredStream {
  const ms = time === undefined ? now : Date.parse(time)
  const out = createEntryBytes(256)
  out.byte(0x92)
  out.eventTime(Math.floor(ms / 1000), (ms % 1000) * 1_000_000)
  const packed = packr.pack(record)
  out.copy(packed, 0, packed.length)
  return { tag, packed: out.taken(), count: 1, position, idBase: 'test', idIndex: position, receivedMs: ms }
}

function batchOf(streams: readonly StoredStream[]): Batch {
  const bytes = streams.reduce((sum, { packed }) => sum + packed.byteLength, 0)
  return { streams, count: streams.length, bytes, from: 0, to: streams.length }
}

function eventsOf({ tag, packed, count }: StoredStream): TestEvent[] {
  const events: TestEvent[] = []
  for (let at = 0, left = count; left > 0; left--) {
    const end = nextEntry(packed, at, packed.byteLength)
    const timeAt = entryTimeAt(packed, at)
    const ms = readTimeSeconds(packed, timeAt) * 1000 + Math.floor(readTimeNanoseconds(packed, timeAt) / 1e6)
    const record = unpackr.unpack(packed.subarray(entryRecordAt(packed, at, end), end)) as TestEvent['record']
    events.push({ tag, record, time: new Date(ms).toISOString() })
    at = end
  }
  return events
}

function compare(expected: readonly TestEvent[], came: readonly TestEvent[]): CaseResult {
  const wanted = expected.map((event) => shown(event, event.time !== undefined))
  const got = came.map((event, index) => shown(event, expected[index]?.time !== undefined))
  const isSame = wanted.length === got.length && wanted.every((text, index) => text === got[index])
  if (isSame) return { isSame, lines: [] }
  const lines = Array.from({ length: Math.max(wanted.length, got.length) }, (_, index) => {
    return difference(wanted[index]?.split('\n') ?? [], got[index]?.split('\n') ?? [])
  })
  return { isSame, lines: lines.flat() }
}

/** Keys in the order of the alphabet: theirs in a record says nothing. */
function shown({ tag, record, time }: TestEvent, hasTime: boolean): string {
  const event = { tag, ...(hasTime ? { time: new Date(time!).toISOString() } : {}), record: sorted(record) }
  return formatJson(event as Json, 2)
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8')
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]))
}

/** Line by line; what both have in the same order stays once (longest common subsequence). */
function difference(wanted: readonly string[], got: readonly string[]): string[] {
  const lengths = commonLengths(wanted, got)
  const lines: string[] = []
  let [i, j] = [0, 0]
  while (i < wanted.length || j < got.length) {
    if (i < wanted.length && j < got.length && wanted[i] === got[j]) {
      lines.push(`  ${wanted[i]}`)
      i++
      j++
    } else if (j >= got.length || (i < wanted.length && lengths[i + 1]![j]! >= lengths[i]![j + 1]!)) {
      lines.push(`- ${wanted[i++]}`)
    } else lines.push(`+ ${got[j++]}`)
  }
  return lines
}

function commonLengths(wanted: readonly string[], got: readonly string[]): number[][] {
  const lengths = Array.from({ length: wanted.length + 1 }, () => new Array<number>(got.length + 1).fill(0))
  for (let i = wanted.length - 1; i >= 0; i--) {
    for (let j = got.length - 1; j >= 0; j--) {
      const isSame = wanted[i] === got[j]
      lengths[i]![j] = isSame ? lengths[i + 1]![j + 1]! + 1 : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!)
    }
  }
  return lengths
}
