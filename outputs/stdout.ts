/** Prints each event as one line: for looking, for pipes, for tests. */
import { write } from 'node:fs'
import { promisify } from 'node:util'
import type { Batch } from '../server/core/event.ts'
import type { ConfigOf, Fields } from '../server/core/fields.ts'
import { type ByteSink, createByteSink, emptySink, reserve } from './encoding/byte-sink.ts'
import {
  createDocumentCursor,
  type DocumentCursor,
  enterStream,
  leaveStream,
  readEventTime,
  writeDocument,
  writeRecord,
} from './encoding/document.ts'
import { SECOND_LENGTH, writeSecond } from './encoding/iso-time.ts'
import { writePadded } from './encoding/json-number.ts'
import { ALL_ACCEPTED, type Output, type OutputContext, OutputError, type Writer } from './output.ts'

/** Lines are handed to the kernel when so many bytes have come together. */
const PIECE_BYTES = 256 * 1024
/** How long a full pipe is left alone before it is tried again. */
const FULL_PIPE_WAIT_MS = 10
const STDOUT = 1
const NEWLINE = 0x0a

const fields = {
  shape: {
    kind: 'enum',
    of: ['document', 'fluentd'],
    default: 'document',
    doc: "What a line is: the record with @timestamp, tag and sequence as JSON, or fluentd's `time tag: record`.",
  },
} as const satisfies Fields

export const output: Output<typeof fields> = {
  name: 'stdout',
  summary: 'Print events as lines, one JSON object each.',
  fields,
  example: 'screen: { type: stdout, match: "**" }',
  open: async (config, context) => createLineWriter(STDOUT, config, context),
}

/**
 * Writes lines to a file descriptor that is already open. Through the descriptor and not through process.stdout, which
 * in a worker thread goes by way of the main thread and does not say when it is full.
 */
export function createLineWriter(fd: number, { shape }: ConfigOf<typeof fields>, context: OutputContext): Writer {
  const cursor = createDocumentCursor(context.sequence)
  const sink = createByteSink(PIECE_BYTES)
  const encode = shape === 'fluentd' ? writeFluentdLine : writeDocumentLine
  /** A write was broken off within a line: the next one begins with a new line. */
  let isMidLine = false
  return {
    /** Nothing is ever refused. A closed pipe rejects with a retryable OutputError. */
    async write(batch, signal) {
      for (const bytes of encodePieces({ cursor, sink, encode, batch, isMidLine })) {
        for (let at = 0; at < bytes.length; ) {
          at += await writeSome(fd, bytes.subarray(at), { clock: context.clock, signal })
          if (at > 0) isMidLine = bytes[at - 1] !== NEWLINE
        }
      }
      return ALL_ACCEPTED
    },
    close: async () => {},
  }
}

type EncodeLine = (cursor: DocumentCursor, entry: number, position: number, sink: ByteSink) => number

interface LineJob {
  readonly cursor: DocumentCursor
  readonly sink: ByteSink
  readonly encode: EncodeLine
  readonly batch: Batch
  readonly isMidLine: boolean
}

/** The batch's lines in pieces, each valid until the next is asked for. */
function* encodePieces({ cursor, sink, encode, batch, isMidLine }: LineJob): Generator<Uint8Array> {
  emptySink(sink)
  if (isMidLine) sink.view.setUint8(sink.at++, NEWLINE)
  for (const stream of batch.streams) {
    let pos = enterStream(cursor, stream)
    for (let event = 0; event < stream.count; event++) {
      pos = encode(cursor, pos, stream.position + event, sink)
      sink.view.setUint8(sink.at++, NEWLINE)
      if (sink.at < PIECE_BYTES) continue
      yield sink.bytes.subarray(0, sink.at)
      emptySink(sink)
    }
  }
  leaveStream(cursor)
  if (sink.at > 0) yield sink.bytes.subarray(0, sink.at)
}

function writeDocumentLine(cursor: DocumentCursor, entry: number, position: number, sink: ByteSink): number {
  return writeDocument(cursor, readEventTime(cursor, entry), position, sink)
}

/** `2026-11-20 12:00:00.000000000 +0000 tag: {json}`, as fluentd's out_stdout prints it. */
function writeFluentdLine(cursor: DocumentCursor, entry: number, _position: number, sink: ByteSink): number {
  const record = readEventTime(cursor, entry)
  const tag = ` +0000 ${cursor.tag}: `
  reserve(sink, SECOND_LENGTH + 10 + tag.length * 3)
  writeSecond(cursor.seconds, 0x20, sink.view, sink.at)
  sink.at += SECOND_LENGTH
  sink.view.setUint8(sink.at++, 0x2e)
  writePadded(cursor.nanoseconds, 9, sink.view, sink.at)
  sink.at += 9
  sink.at += new TextEncoder().encodeInto(tag, sink.bytes.subarray(sink.at)).written
  return writeRecord(cursor, record, sink)
}

const writeBytes = promisify(write)

/**
 * Writes as much as there is room for, perhaps nothing, and then after a pause. Returns how much. Throws OutputError.
 */
async function writeSome(
  fd: number,
  bytes: Uint8Array,
  { clock, signal }: { clock: OutputContext['clock']; signal: AbortSignal },
): Promise<number> {
  if (signal.aborted) throw new OutputError('retry', 'other', 'the write was stopped')
  try {
    return (await writeBytes(fd, bytes, 0, bytes.length, null)).bytesWritten
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'EAGAIN')
      throw new OutputError('retry', 'unavailable', `standard output: ${message}`, { cause: error })
    await clock.sleep(FULL_PIPE_WAIT_MS, signal)
    return 0
  }
}
