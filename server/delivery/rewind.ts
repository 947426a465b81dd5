/** Events that are delivered already are delivered again, from a position or a time on. */
import type { Reader, StoredPart } from '../../buffer/buffer.ts'
import { LogboomError } from '../core/errors.ts'
import type { Position } from '../core/event.ts'
import type { RewindQuery, Rewound } from '../core/output-desk.ts'

/** Rejects with LogboomError LB-P008. */
export type Rewind = (to: RewindQuery) => Promise<Rewound>

/** Nothing of the reader is in flight. A time means the part of the buffer that holds it, from its first event. */
export async function rewind(reader: Reader, to: RewindQuery): Promise<Rewound> {
  // The cursor that is told is the durable one.
  await reader.flush()
  const { cursor } = reader.status()
  const parts = await reader.parts()
  const first = parts[0]?.from ?? cursor
  const from = Math.max(first, to.position ?? positionAt(parts, to.timeMs ?? 0) ?? cursor)
  if (from >= cursor) throw new LogboomError('LB-P008', { first, cursor })
  await reader.seek(from)
  return { from, to: cursor }
}

function positionAt(parts: readonly StoredPart[], timeMs: number): Position | undefined {
  return (parts.findLast(({ createdMs }) => createdMs <= timeMs) ?? parts[0])?.from
}
