/**
 * Where the pairs of the maps begin that are being written just now: of keys that are the same the last one counts.
 * One stack for a map and the maps within it.
 */
import type { EntryWriter } from './entry-writer.ts'

/** Up to so many keys are compared each with each; more are looked up. */
const COMPARED_MAX = 32

export class MapPairs {
  /** Positions in the writer. */
  readonly #starts: number[] = []

  clear(): void {
    this.#starts.length = 0
  }

  /** What `close` of the same map wants back. */
  open(): number {
    return this.#starts.length
  }

  /** A pair begins where the writer stands. */
  add(start: number): void {
    this.#starts.push(start)
  }

  /** How many pairs the map has so far. */
  count(base: number): number {
    return this.#starts.length - base
  }

  startOf(base: number, index: number): number {
    return this.#starts[base + index]!
  }

  /** The map is written up to here: leaves out pairs whose key comes again. @returns how many are left. */
  close(base: number, to: EntryWriter): number {
    const starts = this.#starts
    const count = starts.length - base
    const kept = this.#hasSame(base, to.bytes) ? this.#keepLast(base, to) : count
    starts.length = base
    return kept
  }

  #hasSame(base: number, bytes: Buffer): boolean {
    const starts = this.#starts
    if (starts.length - base > COMPARED_MAX) return this.#lastByKey(base, bytes).size < starts.length - base
    for (let i = base + 1; i < starts.length; i += 1) {
      const key = starts[i]!
      for (let j = base; j < i; j += 1) {
        if (bytes[starts[j]!] === bytes[key] && isSameKey(bytes, starts[j]!, key)) return true
      }
    }
    return false
  }

  /** Key → index of its last pair, in the order in which the keys first came. */
  #lastByKey(base: number, bytes: Buffer): Map<string, number> {
    const last = new Map<string, number>()
    for (let i = base; i < this.#starts.length; i += 1) {
      const start = this.#starts[i]!
      last.set(bytes.toString('latin1', start, start + keyLength(bytes, start)), i)
    }
    return last
  }

  #keepLast(base: number, to: EntryWriter): number {
    const ends = [...this.#starts.slice(base + 1), to.length]
    const pairs = [...this.#lastByKey(base, to.bytes).values()]
    const kept = Buffer.concat(pairs.map((i) => to.bytes.subarray(this.#starts[i]!, ends[i - base]!)))
    const first = this.#starts[base]!
    to.bytes.set(kept, first)
    to.length = first + kept.length
    return pairs.length
  }
}

/** Whole length of the msgpack string at `at`, its head included. */
export function keyLength(bytes: Buffer, at: number): number {
  const head = bytes[at]!
  if (head < 0xc0) return 1 + (head & 31)
  if (head === 0xd9) return 2 + bytes[at + 1]!
  return head === 0xda ? 3 + bytes.readUInt16BE(at + 1) : 5 + bytes.readUInt32BE(at + 1)
}

/** The first bytes are known to be the same. */
function isSameKey(bytes: Buffer, one: number, other: number): boolean {
  const length = keyLength(bytes, one)
  for (let i = 1; i < length; i += 1) if (bytes[one + i] !== bytes[other + i]) return false
  return true
}
