/** Memory that changed entries are written into. What an entry is, filter-event.ts and event-record.ts know. */

export interface EntryBytes {
  /** End of what was written. */
  readonly at: number
  byte(value: number): void
  copy(from: Uint8Array, start: number, end: number): void
  mapHead(count: number): void
  /** EventTime (Forward spec v1): `d7 00`, seconds and nanoseconds, 4 bytes each. */
  eventTime(seconds: number, nanoseconds: number): void
  /** All that was written, or from `start` on: a view that is never written to again, if nothing more is written. */
  taken(start?: number): Uint8Array
}

/** Grows by taking larger memory, so that views of what was written before stay what they were. */
export function createEntryBytes(size: number): EntryBytes {
  let bytes = Buffer.allocUnsafeSlow(size)
  let at = 0
  function reserve(more: number): void {
    if (at + more <= bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(at + more, bytes.length * 2))
    bytes.copy(larger, 0, 0, at)
    bytes = larger
  }
  return {
    get at() {
      return at
    },
    byte(value) {
      reserve(1)
      bytes[at++] = value
    },
    copy(from, start, end) {
      reserve(end - start)
      bytes.set(start === 0 && end === from.length ? from : from.subarray(start, end), at)
      at += end - start
    },
    mapHead(count) {
      reserve(5)
      if (count < 16) {
        bytes[at++] = 0x80 | count
      } else if (count < 65_536) {
        bytes[at] = 0xde
        at = bytes.writeUInt16BE(count, at + 1)
      } else {
        bytes[at] = 0xdf
        at = bytes.writeUInt32BE(count, at + 1)
      }
    },
    eventTime(seconds, nanoseconds) {
      reserve(10)
      bytes[at] = 0xd7
      bytes[at + 1] = 0
      bytes.writeUInt32BE(seconds, at + 2)
      at = bytes.writeUInt32BE(nanoseconds, at + 6)
    },
    taken: (start = 0) => bytes.subarray(start, at),
  }
}
