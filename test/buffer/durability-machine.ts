/** A buffer with its outputs on a disk in memory, driven step by step; the model hears of all it does. */
import assert from 'node:assert/strict'
import { mock } from 'node:test'
import type { EventBuffer, Reader } from '../../buffer/buffer.ts'
import {
  CHUNK_HEADER_BYTES,
  decodeChunkHeader,
  emptyFrameHeader,
  FRAME_HEADER_BYTES,
  frameBytes,
  headerSeed,
  readFrameHeader,
  STREAM,
  viewOf,
} from '../../buffer/chunk-format.ts'
import type { FileSystem } from '../../buffer/file-system.ts'
import type { Batch, EventStream } from '../../server/core/event.ts'
import { createRandom } from '../random.ts'
import { Model } from './durability-model.ts'
import { diskError, numbersIn, numbersOf, openBuffer, quickClock, readerOf, stream } from './harness.ts'
import { type CrashKind, MemoryDisk } from './memory-file-system.ts'

export type Call = 'write' | 'syncData' | 'sync' | 'truncate' | 'rename' | 'unlink' | 'syncDirectory' | 'create'

export type Step =
  | { readonly do: 'append'; readonly count: number; readonly padBytes: number; readonly named: boolean }
  | { readonly do: 'again' | 'flush' | 'tick' | 'reopen' | 'settle' }
  | { readonly do: 'read' | 'commit'; readonly output: number; readonly which: number }
  | { readonly do: 'seek'; readonly output: number; readonly part: number }
  | { readonly do: 'crash'; readonly kind: CrashKind; readonly calls: number }
  | { readonly do: 'fault'; readonly call: Call; readonly nth: number; readonly bytes: number }
  | { readonly do: 'corrupt'; readonly seed: number }

/** What a disk or a configuration that is broken on purpose changes. */
export interface Mutant {
  readonly ack?: 'written'
  readonly wrap?: (files: FileSystem) => FileSystem
}

const OUTPUTS = ['one', 'two']
const CHUNK_SIZE_BYTES = 2_000
const MAX_SIZE_BYTES = 9_000
const DELETE_MS = 1_000
/** Nothing takes as long; a step that does hangs. */
const TURNS_MAX = 3_000

interface Lent {
  readonly batch: Batch
  readonly numbers: readonly number[]
}

interface OpenOutput {
  readonly reader: Reader
  readonly lent: Lent[]
  /** Committed in this life, and not durable for sure. */
  unsettled: number[]
  /** Everything before it was handed out in this life. */
  handedTo: number
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

export class Machine {
  readonly model = new Model()
  readonly disk: MemoryDisk
  readonly #mutant: Mutant
  readonly #outputs = new Map<string, OpenOutput>()
  #buffer!: EventBuffer
  #crashes = 0
  #next = 0
  /** Events of streams that were handed in and never acknowledged, each time they were. */
  #unanswered = 0
  #named: { first: number; stream: EventStream }[] = []
  #corrupted = new Set<string>()

  constructor(seed: number, mutant: Mutant = {}) {
    this.disk = new MemoryDisk(seed)
    this.#mutant = mutant
  }

  /** Opens the buffer and its outputs, again if it crashes while it does. */
  async boot(): Promise<void> {
    for (let tries = 0; ; tries++) {
      assert.ok(tries < 50, 'it does not start')
      mock.timers.reset()
      mock.timers.enable({ apis: ['setTimeout'] })
      this.#crashes = this.disk.crashes
      this.#outputs.clear()
      const opened = await this.#untilCrash(this.#open().catch((error: { code?: string }) => error))
      if (opened === 'open') return this.#checkRecovery()
      // A fault of the disk ends the start, and the operator starts again.
      if (opened !== undefined) assert.equal((opened as { code?: string }).code, 'LB-B003')
    }
  }

  async run(step: Step): Promise<void> {
    await this.#do(step)
    await this.#quiet()
    if (this.#crashed) await this.boot()
  }

  /** Mends the disk, and reads and commits all there is. */
  async finish(): Promise<void> {
    this.disk.rule = () => undefined
    for (let rounds = 0; ; rounds++) {
      assert.ok(rounds < 400, 'it never becomes empty')
      await this.run({ do: 'tick' })
      for (const [index, name] of OUTPUTS.entries()) {
        while (await this.#read(this.#outputs.get(name)!, name, 10))
          await this.run({ do: 'commit', output: index, which: 0 })
      }
      await this.run({ do: 'flush' })
      const { next, waiting } = this.#buffer.status()
      const all = [...this.#outputs.values()]
      if (waiting === 0 && all.every(({ reader }) => reader.status().cursor === next)) break
    }
    for (const name of OUTPUTS) this.model.drained(name)
    await this.#close()
    mock.timers.reset()
  }

  get #crashed(): boolean {
    return this.disk.crashes !== this.#crashes
  }

  async #do(step: Step): Promise<void> {
    if (step.do === 'append') this.#append(step)
    else if (step.do === 'again') this.#again()
    else if (step.do === 'read') await this.#read(...this.#outputAt(step.output), 1 + step.which)
    else if (step.do === 'commit') this.#commit(...this.#outputAt(step.output), step.which)
    else if (step.do === 'flush') for (const [name, output] of this.#outputs) await this.#flush(output, name)
    else if (step.do === 'seek') await this.#seek(...this.#outputAt(step.output), step.part)
    else if (step.do === 'tick') mock.timers.tick(DELETE_MS)
    else if (step.do === 'reopen') await this.#reopen()
    else if (step.do === 'fault') this.#fault(step)
    else if (step.do === 'corrupt') this.#corrupt(step.seed)
    else if (step.do === 'crash' && step.calls > 0) this.disk.crashIn(step.calls, step.kind)
    else if (step.do === 'crash') this.disk.crash(step.kind)
  }

  async #open(): Promise<'open'> {
    const { ack = 'durable', wrap = (files: FileSystem) => files } = this.#mutant
    const files = wrap(this.disk.mount())
    const sizes = { chunkSizeBytes: CHUNK_SIZE_BYTES, maxSizeBytes: MAX_SIZE_BYTES }
    this.#buffer = await openBuffer('/b', { files, clock: quickClock(), outputs: OUTPUTS, ack, ...sizes })
    for (const name of OUTPUTS) {
      const reader = await readerOf(this.#buffer, name, { files, clock: quickClock() })
      const { cursor } = reader.status()
      this.#outputs.set(name, { reader, lent: [], unsettled: [], handedTo: cursor })
    }
    return 'open'
  }

  /**
   * A group that was torn may look like one that is damaged, but then nobody was told that it is durable: who sent it
   * may have been told so of another copy since.
   */
  #checkRecovery(): void {
    const { damagedEvents, quarantined } = this.#buffer.status().recovered
    if (this.#corrupted.size > 0) return
    assert.deepEqual(quarantined, [])
    assert.ok(damagedEvents <= this.#unanswered, `${damagedEvents} damaged events`)
  }

  #append({ count, padBytes, named }: Extract<Step, { do: 'append' }>): void {
    const first = this.#next
    this.#next += count
    const made = stream(first, count, { padBytes, ...(named && { chunkId: `c${first}` }) })
    if (named) this.#named.push({ first, stream: made })
    this.model.sent(first, made)
    this.#emit(first, made)
  }

  /** A client that has heard nothing sends its last messages again. */
  #again(): void {
    for (const { first, stream } of this.#named.slice(-3)) this.#emit(first, stream)
  }

  #emit(first: number, made: EventStream): void {
    const life = this.disk.crashes
    this.#unanswered += made.count
    const acked = () => {
      if (life !== this.disk.crashes) return
      this.#unanswered -= made.count
      this.model.acked(first, made.count)
    }
    this.#buffer.append(made).then(acked, () => {})
  }

  #outputAt(index: number): [OpenOutput, string] {
    const name = OUTPUTS[index % OUTPUTS.length]!
    return [this.#outputs.get(name)!, name]
  }

  async #read(output: OpenOutput, name: string, maxEvents: number): Promise<boolean> {
    if (output.handedTo >= this.#buffer.status().next) return false
    const stop = new AbortController()
    let batch: Batch | undefined
    const limits = { maxBytes: 1 << 20, maxEvents, maxAgeMs: 0 }
    const reading = output.reader.read(limits, stop.signal).then(
      (read) => {
        batch = read
      },
      (error) => stop.signal.aborted || assert.fail(error),
    )
    // What is left may be damaged: then there is no batch.
    for (let turns = 0; turns < 20 && batch === undefined && !this.#crashed; turns++) await turn()
    stop.abort()
    await this.#untilCrash(reading)
    if (batch === undefined || this.#crashed) return false
    assert.equal(batch.from >= output.handedTo, true, 'positions go up')
    output.handedTo = batch.to
    for (const part of batch.streams) this.model.handedOut(name, part)
    output.lent.push({ batch, numbers: numbersOf(batch) })
    return true
  }

  #commit(output: OpenOutput, name: string, which: number): void {
    const [lent] = output.lent.splice(which % Math.max(1, output.lent.length), 1)
    if (lent === undefined) return
    assert.deepEqual(numbersOf(lent.batch), lent.numbers, 'the memory of a batch in flight has changed')
    output.reader.commit(lent.batch)
    this.model.committed(name, lent.numbers)
    output.unsettled.push(...lent.numbers)
  }

  async #flush(output: OpenOutput, name: string): Promise<void> {
    const settling = output.unsettled
    const flushed = output.reader.flush().then(
      () => true,
      () => false,
    )
    if ((await this.#untilCrash(flushed)) !== true) return
    output.unsettled = output.unsettled.slice(settling.length)
    this.model.settled(name, settling)
  }

  async #seek(output: OpenOutput, name: string, part: number): Promise<void> {
    if (output.lent.length > 0) return
    const to = Math.floor((output.reader.status().cursor * part) / 10)
    this.model.soughtTo(name, to)
    const sought = output.reader.seek(to).catch(() => {})
    await this.#untilCrash(sought)
    output.handedTo = 0
    output.unsettled = []
  }

  async #close(): Promise<void> {
    for (const [name, output] of this.#outputs) {
      await this.#flush(output, name)
      await this.#untilCrash(output.reader.close().catch(() => {}))
    }
    await this.#untilCrash(this.#buffer.close())
  }

  async #reopen(): Promise<void> {
    await this.#close()
    if (!this.#crashed) await this.boot()
  }

  /** The nth call of this kind from now fails, once; a write takes so many bytes only. */
  #fault({ call, nth, bytes }: Extract<Step, { do: 'fault' }>): void {
    let seen = 0
    this.disk.rule = (made) => {
      if (made.call !== call || ++seen !== nth) return undefined
      return call === 'write' && bytes >= 0 ? bytes : diskError('EIO')
    }
  }

  /** Flips one bit of one file while the machine is off. */
  #corrupt(seed: number): void {
    const random = createRandom(seed)
    this.disk.crash('kill')
    const files = [...this.disk.names.keys()].filter(
      (name) => /\.chunk$|\.cursor$/.test(name) && !this.#corrupted.has(name),
    )
    const name = files[Math.floor(random() * files.length)]
    const inode = name === undefined ? undefined : this.disk.names.get(name)
    if (name === undefined || inode === undefined || inode.size === 0) return
    const bit = Math.floor(random() * inode.size * 8)
    this.#corrupted.add(name)
    if (name.endsWith('.chunk')) this.model.damaged(numbersAt(inode.read(), bit >> 3))
    else this.model.cursorDamaged(/([^/]*)\.cursor$/.exec(name)![1]!)
    inode.flip(bit)
  }

  /** Lets everything go on until nothing moves any more. */
  async #quiet(): Promise<void> {
    for (let still = 0, calls = -1, turns = 0; still < 3 && !this.#crashed; turns++) {
      assert.ok(turns < TURNS_MAX, 'it never comes to rest')
      still = calls === this.disk.calls ? still + 1 : 0
      calls = this.disk.calls
      await turn()
    }
  }

  /** What the promise gives, or undefined once the disk has crashed. */
  async #untilCrash<T>(promise: Promise<T>): Promise<T | undefined> {
    let settled: { value: T } | undefined
    promise.then((value) => {
      settled = { value }
    })
    for (let turns = 0; settled === undefined && !this.#crashed; turns++) {
      assert.ok(turns < TURNS_MAX, 'a promise is never kept')
      await turn()
    }
    return this.#crashed ? undefined : settled?.value
  }
}

/** Numbers of the events in the frame that holds this byte of a chunk. */
export function numbersAt(bytes: Buffer, byte: number): number[] {
  const chunk = decodeChunkHeader(bytes)
  if (chunk === undefined) return []
  const header = emptyFrameHeader()
  for (let at = CHUNK_HEADER_BYTES; at + FRAME_HEADER_BYTES <= bytes.length; at += frameBytes(header)) {
    if (!readFrameHeader(bytes, viewOf(bytes), at, headerSeed(chunk.bufferId), header)) return []
    if (byte < at || byte >= at + frameBytes(header) || header.type !== STREAM) continue
    const packed = at + FRAME_HEADER_BYTES
    return packed + header.packedBytes <= bytes.length
      ? numbersIn(bytes.subarray(packed, packed + header.packedBytes))
      : []
  }
  return []
}
