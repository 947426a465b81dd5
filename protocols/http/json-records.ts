/**
 * The records of a body in JSON: one object, an array of objects, or any number of either one after the other, with
 * line ends (NDJSON), white space or nothing between. However it is cut.
 */
import { MalformedError, SCAN_LIMITS } from '../../server/core/msgpack.ts'
import type { EntryWriter } from '../encoding/entry-writer.ts'
import { JsonTranscoder } from '../encoding/json-to-msgpack.ts'
import { BodyFault, LIMITS, tooLarge } from './limits.ts'
import { PendingBytes } from './pending-bytes.ts'
import type { RecordEntry } from './record-entry.ts'
import type { RecordReader } from './record-reader.ts'

const LF = 0x0a
const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/**
 * What may come next. `value`: an object, or an array begins. `first`: an object or the end of the array. `item`: an
 * object. `separator`: a comma or the end of the array. `inside`: the rest of an object.
 */
type State = 'value' | 'first' | 'item' | 'separator' | 'inside'

export class JsonRecords implements RecordReader {
  readonly #entry: RecordEntry
  readonly #pending = new PendingBytes()
  readonly #json = new JsonTranscoder({
    depth: SCAN_LIMITS.depth,
    keyBytes: SCAN_LIMITS.keyBytes,
    isLenient: false,
    isExact: true,
  })
  #state: State = 'value'
  /** The object that is looked through is an item of an array. */
  #inArray = false
  /** The line of the pending bytes' start, from 1. */
  #line = 1
  /** Of the object that is looked through: bytes that were, and where the scan stands in it. */
  #scanned = 0
  #depth = 0
  #inString = false
  #escaped = false

  constructor(entry: RecordEntry) {
    this.#entry = entry
  }

  get heldBytes(): number {
    return this.#pending.heldBytes
  }

  push(chunk: Buffer): void {
    this.#pending.append(chunk)
  }

  next(to: EntryWriter): boolean {
    for (;;) {
      if (this.#state === 'inside') return this.#object(to)
      if (!this.#skipSpace()) return false
      this.#step(this.#pending.bytes[this.#pending.start]!)
    }
  }

  end(): void {
    if (this.#state === 'value') return
    const reason = this.#state === 'inside' ? 'the body ends within this object' : 'the body ends within an array'
    throw this.#fault(reason, 0)
  }

  /** @returns false when nothing else is there. */
  #skipSpace(): boolean {
    const { bytes, start, end } = this.#pending
    let at = start
    for (; at < end; at += 1) {
      const byte = bytes[at]!
      if (byte === LF) this.#line += 1
      else if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) break
    }
    this.#pending.use(at - start)
    return at < end
  }

  /** Takes the byte that stands at the start, unless it begins an object. */
  #step(byte: number): void {
    const state = this.#state
    if (byte === OPEN_OBJECT && state !== 'separator') {
      this.#inArray = state !== 'value'
      this.#state = 'inside'
      return
    }
    if (byte === OPEN_ARRAY && state === 'value') this.#state = 'first'
    else if (byte === CLOSE_ARRAY && (state === 'first' || state === 'separator')) this.#state = 'value'
    else if (byte === COMMA && state === 'separator') this.#state = 'item'
    else throw this.#fault(state === 'separator' ? 'a comma or ] is missing' : 'a record must be an object', 0)
    this.#pending.use(1)
  }

  #object(to: EntryWriter): boolean {
    const length = this.#objectEnd()
    const { bytes, start } = this.#pending
    if (length === 0) {
      if (this.#scanned > LIMITS.recordBytes) throw tooLarge(LIMITS.recordBytes, 'records')
      return false
    }
    this.#entry.begin(to)
    this.#json.begin(bytes, start, start + length, to)
    try {
      this.#json.value(SCAN_LIMITS.depth)
    } catch (error) {
      if (error instanceof MalformedError) throw this.#fault(error.message, this.#json.at - start)
      throw error
    }
    this.#entry.finish(to)
    this.#line += countLines(bytes, start, start + length)
    this.#pending.use(length)
    this.#scanned = 0
    this.#state = this.#inArray ? 'separator' : 'value'
    return true
  }

  /** Length of the object at the start, each byte looked at once; 0 when it is not whole. */
  #objectEnd(): number {
    const { bytes, start, end } = this.#pending
    for (let at = start + this.#scanned; at < end; at += 1) {
      const byte = bytes[at]!
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false
        else if (byte === BACKSLASH) this.#escaped = true
        else if (byte === QUOTE) this.#inString = false
        else if (byte < 0x20) throw this.#fault('a string is not closed', at - start)
      } else if (byte === QUOTE) this.#inString = true
      else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) this.#depth += 1
      else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
        this.#depth -= 1
        if (this.#depth === 0) return at + 1 - start
      }
    }
    this.#scanned = end - start
    return 0
  }

  /** `ahead`: bytes from the start of what is pending to the fault. */
  #fault(reason: string, ahead: number): BodyFault {
    const { bytes, start, end, offset } = this.#pending
    const line = this.#line + countLines(bytes, start, Math.min(start + ahead, end))
    return new BodyFault(reason, offset + ahead, line)
  }
}

function countLines(bytes: Uint8Array, start: number, end: number): number {
  let lines = 0
  for (let at = start; at < end; at += 1) if (bytes[at] === LF) lines += 1
  return lines
}
