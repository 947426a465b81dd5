/**
 * What the tests of the file buffer share: events, a folder, a log that keeps what was said, and a disk that can be
 * made to fail.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { EventBuffer, Reader } from '../../buffer/buffer.ts'
import { type FileBufferConfig, type FileBufferSurroundings, openFileBuffer } from '../../buffer/file-buffer.ts'
import { type FileSystem, nodeFileSystem, type OpenFile } from '../../buffer/file-system.ts'
import { openFileReader } from '../../buffer/reader.ts'
import { type Clock, systemClock } from '../../server/core/clock.ts'
import type { Batch, EventStream, Mark } from '../../server/core/event.ts'
import type { Logger } from '../../server/core/log.ts'

export function temporaryFolder(): { path: string; [Symbol.dispose](): void } {
  const folder = mkdtempSync(path.join(tmpdir(), 'logboom-buffer-'))
  return { path: folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}

export interface KeptLog extends Logger {
  readonly said: string[]
}

export function keptLog(): KeptLog {
  const said: string[] = []
  const say = (_fields: object, message: string) => void said.push(message)
  const log: KeptLog = { said, debug: say, info: say, warn: say, error: say, child: () => log }
  return log
}

/** One entry: `[number, {"n": number, "pad": …}]`, packed. */
export function entry(number: number, padBytes = 0): Buffer {
  const head = Buffer.from([
    0x92, 0xce, 0, 0, 0, 0, 0x82, 0xa1, 0x6e, 0xce, 0, 0, 0, 0, 0xa3, 0x70, 0x61, 0x64, 0xda, 0, 0,
  ])
  head.writeUInt32BE(number, 2)
  head.writeUInt32BE(number, 10)
  head.writeUInt16BE(padBytes, 19)
  return Buffer.concat([head, Buffer.alloc(padBytes, 0x78)])
}

export interface StreamOptions {
  readonly tag?: string
  readonly chunkId?: string
  readonly padBytes?: number
  readonly mark?: Mark
}

/** A stream of the entries numbered from `first` on. */
export function stream(first: number, count: number, options: StreamOptions = {}): EventStream {
  const entries = Array.from({ length: count }, (_, index) => entry(first + index, options.padBytes))
  const { tag = 'app.web', chunkId, mark } = options
  return {
    ...{ tag: Buffer.from(tag), packed: Buffer.concat(entries), count, peer: '10.0.0.7' },
    ...(chunkId !== undefined && { chunkId: Buffer.from(chunkId) }),
    ...(mark !== undefined && { mark }),
  }
}

/** The numbers of the entries in some packed bytes. */
export function numbersIn(packed: Uint8Array): number[] {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength)
  const numbers: number[] = []
  for (let at = 0; at < bytes.length; at += 21 + bytes.readUInt16BE(at + 19)) numbers.push(bytes.readUInt32BE(at + 10))
  return numbers
}

export function numbersOf(batch: Batch): number[] {
  return batch.streams.flatMap((part) => numbersIn(part.packed))
}

export function idsOf(batch: Batch): string[] {
  return batch.streams.flatMap((part) =>
    Array.from({ length: part.count }, (_, index) => `${part.idBase}.${part.idIndex + index}`),
  )
}

export const NO_SIGNAL = new AbortController().signal
export const LIMITS = { maxBytes: 1 << 20, maxEvents: 1_000, maxAgeMs: 0 }

/** Reads and commits until nothing is left; returns the numbers of the events. */
export async function drain(reader: Reader): Promise<number[]> {
  const numbers: number[] = []
  while (reader.status().lagEvents > 0) {
    const stop = new AbortController()
    // What is left may be damaged: then no batch comes, but the lag goes to 0.
    const look = setInterval(() => reader.status().lagEvents === 0 && stop.abort(), 2)
    try {
      const batch = await reader.read(LIMITS, stop.signal)
      numbers.push(...numbersOf(batch))
      reader.commit(batch)
    } catch (error) {
      if (!stop.signal.aborted) throw error
    } finally {
      clearInterval(look)
    }
  }
  return numbers
}

export const KIB = 1024
export const CONFIG = { chunkSizeBytes: 64 * KIB, maxSizeBytes: 64 * KIB * KIB, ack: 'durable' } as const

export type OpenOptions = Partial<FileBufferConfig> & Partial<FileBufferSurroundings>

export function openBuffer(folder: string, options: OpenOptions = {}): Promise<EventBuffer> {
  const { log = keptLog(), clock = systemClock, files = nodeFileSystem, outputs = [], ...config } = options
  return openFileBuffer({ path: folder, ...CONFIG, ...config }, { log, clock, files, outputs })
}

export async function readerOf(
  buffer: EventBuffer,
  output = 'out',
  options: { matches?: (tag: string) => boolean; files?: FileSystem; clock?: Clock } = {},
): Promise<Reader> {
  const { matches = () => true, files = nodeFileSystem, clock = systemClock } = options
  return openFileReader(await buffer.seat(output), matches, { files, clock })
}

/** A clock that stands still, and whose sleeps end at the next turn of the loop. */
export function quickClock(now = 1_700_000_000_000): Clock {
  return {
    now: () => now,
    monotonic: () => performance.now(),
    sleep: () => new Promise((resolve) => setImmediate(resolve)),
  }
}

/** What is about to happen to a file; the name is that of the file alone. */
export interface DiskCall {
  readonly call: 'open' | 'create' | 'write' | 'syncData' | 'sync' | 'truncate' | 'rename' | 'unlink' | 'syncDirectory'
  readonly name: string
}
/** Undefined: go on. An error: it fails. A number: so many bytes are written, without an error. */
export type DiskRule = (call: DiskCall) => Error | number | undefined

export function diskError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: injected`), { code })
}

/** The real disk behind a rule that may make any call fail; it is also told of each call that went well. */
export function ruledFileSystem(rule: DiskRule, done: (call: DiskCall) => void = () => {}): FileSystem {
  const guard = async <T>(call: DiskCall['call'], file: string, act: () => Promise<T>): Promise<T> => {
    const name = path.basename(file)
    const verdict = rule({ call, name })
    if (verdict instanceof Error) throw verdict
    const result = await act()
    done({ call, name })
    return result
  }
  const ruledFile = (file: string, open: OpenFile): OpenFile => ({
    ...open,
    write: async (pieces, offset) => {
      const name = path.basename(file)
      const verdict = rule({ call: 'write', name })
      if (verdict instanceof Error) throw verdict
      const taken = verdict === undefined ? pieces : [Buffer.concat(pieces).subarray(0, verdict)]
      const written = await open.write(taken, offset)
      done({ call: 'write', name })
      return written
    },
    syncData: () => guard('syncData', file, () => open.syncData()),
    sync: () => guard('sync', file, () => open.sync()),
    truncate: (bytes) => guard('truncate', file, () => open.truncate(bytes)),
  })
  return {
    ...nodeFileSystem,
    open: (file, mode) =>
      guard(mode === 'create' ? 'create' : 'open', file, async () =>
        ruledFile(file, await nodeFileSystem.open(file, mode)),
      ),
    rename: (from, to) => guard('rename', to, () => nodeFileSystem.rename(from, to)),
    unlink: (file) => guard('unlink', file, () => nodeFileSystem.unlink(file)),
    syncDirectory: (directory) => guard('syncDirectory', directory, () => nodeFileSystem.syncDirectory(directory)),
  }
}

/** The real disk without its syncs, for tests that open hundreds of buffers and pull no plug. */
export const quickFileSystem: FileSystem = {
  ...nodeFileSystem,
  open: async (file, mode) => {
    const open = await nodeFileSystem.open(file, mode)
    return { ...open, sync: async () => {}, syncData: async () => {} }
  },
  syncDirectory: async () => {},
}
