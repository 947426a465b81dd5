/**
 * How far inputs have come in sources of their own, such as files. A mark lies in the label of the stream it came with,
 * so that one fdatasync makes both durable. Marks outlive the chunks they came in: before a chunk is deleted those of
 * all streams so far are written to a file.
 *
 *   MARKS                                   replaced as a whole; lines of UTF-8
 *   logboom-marks 1
 *   next <position>                         the marks of all streams before it are in the file
 *   [<source>, <place>]                   a JSON array for each, oldest first
 *   crc <8 hex digits, CRC-32 of the lines above>
 */
import path from 'node:path'
import { crc32 } from 'node:zlib'
import type { Mark, Position } from '../server/core/event.ts'
import { MARK_BYTES_MAX, viewOf } from './chunk-format.ts'
import { type FileSystem, readSmallFile, replaceFile } from './file-system.ts'

/** Sources that are remembered; the one that was not marked for longest is forgotten first. */
const MARKS_MAX = 16_384
/** JSON's escapes may double a mark. */
const FILE_BYTES_MAX = MARKS_MAX * 2 * MARK_BYTES_MAX
const CRC_BYTES = 4
const HEAD = 'logboom-marks 1'

/** Throws RangeError when it is longer than a label has room for. */
export function encodeMark({ source, place }: Mark): Buffer {
  const bytes = Buffer.from(`\0\0\0\0${source}\0${place}`)
  if (bytes.length > MARK_BYTES_MAX) throw new RangeError(`a mark of ${bytes.length} bytes`)
  bytes.writeUInt32LE(crc32(bytes.subarray(CRC_BYTES)))
  return bytes
}

/** Undefined when there is none, or when it is damaged: labels of older chunks are read without their CRC. */
export function decodeMark(bytes: Uint8Array): Mark | undefined {
  if (bytes.length <= CRC_BYTES || viewOf(bytes).getUint32(0, true) !== crc32(bytes.subarray(CRC_BYTES))) {
    return undefined
  }
  const text = Buffer.from(bytes.subarray(CRC_BYTES)).toString()
  const end = text.indexOf('\0')
  return { source: text.slice(0, end), place: text.slice(end + 1) }
}

/** What the file holds. */
export interface MarksRecord {
  readonly next: number
  readonly marks: readonly Mark[]
}

const NO_MARKS: MarksRecord = { next: 0, marks: [] }

function fileName(bufferPath: string): string {
  return path.join(bufferPath, 'MARKS')
}

function checksum(lines: string): string {
  return crc32(lines).toString(16).padStart(8, '0')
}

function encodeRecord(next: number, marks: ReadonlyMap<string, string>): Buffer {
  const lines = [...marks].map((mark) => `${JSON.stringify(mark)}\n`)
  const text = `${HEAD}\nnext ${next}\n${lines.join('')}`
  return Buffer.from(`${text}crc ${checksum(text)}\n`)
}

function decodeRecord(bytes: Uint8Array): MarksRecord | undefined {
  const text = Buffer.from(bytes).toString()
  const end = text.lastIndexOf('crc ')
  if (end === -1 || text.slice(end) !== `crc ${checksum(text.slice(0, end))}\n`) return undefined
  const [head, next, ...lines] = text.slice(0, end - 1).split('\n')
  if (head !== HEAD) return undefined
  const marks = lines.map((line) => {
    const [source, place] = JSON.parse(line) as [string, string]
    return { source, place }
  })
  return { next: Number(next!.slice('next '.length)), marks }
}

/** The record on disk; `damaged` tells that there is a file and it cannot be read. */
export async function readMarks(files: FileSystem, bufferPath: string): Promise<MarksRecord & { damaged: boolean }> {
  const bytes = await readSmallFile(files, fileName(bufferPath), FILE_BYTES_MAX)
  if (bytes === undefined) return { ...NO_MARKS, damaged: false }
  const record = decodeRecord(bytes)
  return record === undefined ? { ...NO_MARKS, damaged: true } : { ...record, damaged: false }
}

export interface MarksOptions {
  readonly files: FileSystem
  readonly bufferPath: string
  /** Oldest first. */
  readonly recovered: readonly Mark[]
  /** The marks of all streams before it are in the file already. */
  readonly keptNext: Position
  /** Up to where streams are durable. */
  readonly next: () => number
}

/** The marks of what is durable, in memory; on disk they are in the chunks and in the file. */
export class Marks {
  readonly #options: MarksOptions
  readonly #places = new Map<string, string>()
  /** The marks of all streams before it are in the file. */
  #keptNext: Position
  #writing: Promise<void> = Promise.resolve()

  constructor(options: MarksOptions) {
    this.#options = options
    this.#keptNext = options.keptNext
    for (const mark of options.recovered) this.#put(mark)
  }

  find(prefix: string): ReadonlyMap<string, string> {
    return new Map([...this.#places].filter(([source]) => source.startsWith(prefix)))
  }

  /** The streams that these came with are durable. */
  stored(marks: readonly Mark[]): void {
    for (const mark of marks) this.#put(mark)
  }

  /** Rejects, and changes nothing, when the disk does not take them. */
  set(marks: readonly { source: string; place: string | undefined }[]): Promise<void> {
    const places = new Map(marks.map(({ source, place }) => [source, place]))
    return this.#inTurn(async () => {
      await this.#write(places)
      for (const [source, place] of places) {
        if (place === undefined) this.#places.delete(source)
        else this.#put({ source, place })
      }
    })
  }

  /**
   * Makes sure that no mark of a stream before `position` is in a chunk only. Writes nothing that is there already: a
   * full disk must not keep chunks from being deleted.
   */
  keep(position: Position): Promise<void> {
    return this.#inTurn(async () => {
      if (position > this.#keptNext && this.#places.size > 0) await this.#write(new Map())
    })
  }

  #inTurn(act: () => Promise<void>): Promise<void> {
    const done = this.#writing.then(act)
    this.#writing = done.catch(() => {})
    return done
  }

  async #write(places: ReadonlyMap<string, string | undefined>): Promise<void> {
    const { files, bufferPath, next } = this.#options
    const all = new Map(this.#places)
    for (const [source, place] of places) {
      all.delete(source)
      if (place !== undefined) all.set(source, place)
    }
    const until = next()
    await replaceFile(files, fileName(bufferPath), encodeRecord(until, all))
    this.#keptNext = until
  }

  #put({ source, place }: Mark): void {
    this.#places.delete(source)
    this.#places.set(source, place)
    if (this.#places.size > MARKS_MAX) this.#places.delete(this.#places.keys().next().value!)
  }
}
