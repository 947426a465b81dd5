/** Writes a parsed message as an entry of msgpack: `[time, record]`. Which keys a record has stands here. */
import type { EntryWriter } from '../encoding/entry-writer.ts'
import type { Part, SyslogMessage } from './message.ts'
import { facilityOf, severityOf } from './priorities.ts'
import { StructuredDataWriter } from './sd-elements.ts'

/** A key as msgpack, written as it is. */
function key(name: string): Buffer {
  return Buffer.concat([Buffer.of(0xa0 | name.length), Buffer.from(name)])
}

const KEYS = {
  message: key('message'),
  host: key('host'),
  ident: key('ident'),
  pid: key('pid'),
  msgid: key('msgid'),
  structuredData: key('structured_data'),
}

/** `priority`, `facility` and `severity`: three pairs, ready to be copied. */
function priorityPairs(priority: number): Buffer {
  const number = priority < 128 ? [priority] : [0xcc, priority]
  const names = [key('facility'), key(facilityOf(priority)), key('severity'), key(severityOf(priority))]
  return Buffer.concat([key('priority'), Buffer.from(number), ...names])
}

export class SyslogEntries {
  readonly #structuredData = new StructuredDataWriter()
  readonly #priorities: readonly Buffer[]

  /** `priorities`: how many there are. */
  constructor(priorities: number) {
    this.#priorities = Array.from({ length: priorities }, (_, priority) => priorityPairs(priority))
  }

  /**
   * Writes `message`, whose parts stand in `bytes`, as a whole entry. `priority`: what it has or is taken to have;
   * `nowMs`: the time of a message without one, ms since 1970.
   */
  write(bytes: Buffer, message: SyslogMessage, priority: number, nowMs: number, to: EntryWriter): void {
    const { host, ident, pid, msgid, structuredData } = message
    to.entry()
    if (message.hasTime) to.eventTime(message.time.seconds, message.time.nanoseconds)
    else to.eventTime(Math.floor(nowMs / 1_000), Math.floor(nowMs % 1_000) * 1_000_000)
    const given = has(host) + has(ident) + has(pid) + has(msgid) + has(structuredData)
    to.mapHead(1 + 3 + given)
    writeKey(KEYS.message, to)
    to.string(bytes, message.message.start, message.message.end)
    if (has(host)) writePart(KEYS.host, bytes, host, to)
    if (has(ident)) writePart(KEYS.ident, bytes, ident, to)
    if (has(pid)) writePart(KEYS.pid, bytes, pid, to)
    writeKey(this.#priorities[priority]!, to)
    if (has(msgid)) writePart(KEYS.msgid, bytes, msgid, to)
    if (has(structuredData)) {
      writeKey(KEYS.structuredData, to)
      this.#structuredData.write(bytes, structuredData.start, structuredData.end, to)
    }
  }
}

/** 1 or 0, so that they can be counted. */
function has({ start, end }: Part): number {
  return end > start ? 1 : 0
}

function writePart(name: Buffer, bytes: Buffer, { start, end }: Part, to: EntryWriter): void {
  writeKey(name, to)
  to.string(bytes, start, end)
}

function writeKey(written: Buffer, to: EntryWriter): void {
  to.room(written.length)
  written.copy(to.bytes, to.length)
  to.length += written.length
}
