/**
 * What must be true of a buffer whatever happens to it, in sets of event numbers. It knows no file, no frame, no
 * cursor; every method throws AssertionError when what it is told cannot be.
 */
import assert from 'node:assert/strict'
import type { EventStream, StoredStream } from '../../server/core/event.ts'
import { numbersIn } from './harness.ts'

interface Output {
  /** Committed at least once: the destination has it. */
  readonly delivered: Set<number>
  /** Committed, and that is durable: it must not come again. */
  readonly settled: Set<number>
}

export class Model {
  readonly #sent = new Map<number, Buffer>()
  readonly #acked = new Set<number>()
  /** Damaged by the test itself: these may be missing, and those of a message may then be stored twice. */
  readonly #damaged = new Set<number>()
  readonly #numberAt = new Map<number, number>()
  readonly #idOf = new Map<number, string>()
  readonly #outputs = new Map<string, Output>()

  sent(first: number, stream: EventStream): void {
    const packed = stream.packed as Buffer
    const bytes = packed.length / stream.count
    for (let i = 0; i < stream.count; i++) this.#sent.set(first + i, packed.subarray(i * bytes, (i + 1) * bytes))
  }
  acked(first: number, count: number): void {
    for (let i = 0; i < count; i++) this.#acked.add(first + i)
  }
  damaged(numbers: Iterable<number>): void {
    for (const number of numbers) this.#damaged.add(number)
  }
  /** The cursor of the output was damaged: what it had done may come again. */
  cursorDamaged(output: string): void {
    this.output(output).settled.clear()
  }

  handedOut(output: string, part: StoredStream): void {
    const numbers = numbersIn(part.packed)
    const bytes = part.packed.length / part.count
    assert.equal(numbers.length, part.count)
    for (const [index, number] of numbers.entries()) {
      const packed = part.packed.subarray(index * bytes, (index + 1) * bytes)
      assert.ok(this.#sent.get(number)?.equals(packed), `${number} was never sent like this`)
      assert.ok(!this.output(output).settled.has(number), `${number} comes again, and was durably done`)
      this.#place(number, part.position + index, `${part.idBase}.${part.idIndex + index}`)
    }
  }
  committed(output: string, numbers: readonly number[]): void {
    for (const number of numbers) this.output(output).delivered.add(number)
  }
  /** What was committed in this life is durable now. */
  settled(output: string, numbers: readonly number[]): void {
    for (const number of numbers) this.output(output).settled.add(number)
  }
  /** The output went back: what stands at the position and behind may come again. */
  soughtTo(output: string, position: number): void {
    for (const [at, number] of this.#numberAt) if (at >= position) this.output(output).settled.delete(number)
  }
  /** Everything was read: each acknowledged event was delivered to each output. */
  drained(output: string): void {
    const { delivered } = this.output(output)
    const lost = [...this.#acked].filter((number) => !delivered.has(number) && !this.#damaged.has(number))
    assert.deepEqual(lost, [], `acknowledged and lost for ${output}`)
  }

  output(name: string): Output {
    const known = this.#outputs.get(name) ?? { delivered: new Set(), settled: new Set() }
    this.#outputs.set(name, known)
    return known
  }
  /** A position is one event and an event one position, for ever, and so with ids. */
  #place(number: number, position: number, id: string): void {
    const before = this.#numberAt.get(position)
    assert.ok(before === undefined || before === number, `position ${position} was ${before} and is ${number}`)
    this.#numberAt.set(position, number)
    const known = this.#idOf.get(number)
    // A message of which a part is damaged is stored again when it is sent again: under the same ids.
    assert.ok(known === undefined || known === id, `${number} was ${known} and is ${id}`)
    this.#idOf.set(number, id)
  }
}
