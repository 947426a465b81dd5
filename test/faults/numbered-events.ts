/** The numbered events of the oracle: what was sent under a number, and what a destination must give back for it. */
import { createTemplate, fillEntries, recordOf, timestampOf } from '../load/container-events.ts'

export interface EventPlan {
  readonly batch: number
  readonly lineBytes: number
  readonly startSeconds: number
  readonly tag: string
}

export interface EventNumber {
  readonly connection: number
  readonly number: number
}

const ID = /\bid=(\d\d)-(\d{9}) /

/** Whose event a document or an entry is, as latin1 text; undefined: it is none of ours. */
export function numberOf(text: string): EventNumber | undefined {
  const id = ID.exec(text)
  return id === null ? undefined : { connection: Number(id[1]), number: Number(id[2]) }
}

/** A part of a document whose numbers are left out, and an entry whose time and number are filled in. */
interface Pattern {
  readonly head: string
  readonly tail: string
}

/** Compares what came out with what went in, byte for byte. */
export function createComparison(plan: EventPlan) {
  const patterns = new Map<string, Pattern>()
  const { batch, lineBytes, startSeconds, tag } = plan

  function patternOf(connection: number, index: number): Pattern {
    const key = `${connection} ${index}`
    const known = patterns.get(key)
    if (known !== undefined) return known
    const text = JSON.stringify(recordOf({ connection, index, number: 0, lineBytes })).slice(0, -1)
    const at = text.indexOf('000000000 ')
    const pattern = { head: text.slice(0, at), tail: text.slice(at + 9) }
    patterns.set(key, pattern)
    return pattern
  }
  return {
    /** Whether a JSON document holds the event's record, its time and its tag, and a sequence, and nothing else. */
    isDocument(document: string, { connection, number }: EventNumber): boolean {
      const { head, tail } = patternOf(connection, number % batch)
      const own = `,"@timestamp":"${timestampOf(number, startSeconds)}","tag":"${tag}","sequence":`
      const expected = `${head}${String(number).padStart(9, '0')}${tail}${own}`
      return document.startsWith(expected) && /^\d+\}$/.test(document.slice(expected.length))
    },
    /** Whether a packed entry is the one that was sent. */
    isEntry(entry: Uint8Array, { connection, number }: EventNumber): boolean {
      const template = createTemplate({ connection, count: batch, lineBytes })
      fillEntries(template.bytes, 0, template, number - (number % batch), batch, startSeconds)
      const at = template.starts[number % batch]!
      return template.bytes.subarray(at, template.starts[(number % batch) + 1]).equals(entry)
    },
  }
}
