/**
 * Random work against a model: whatever order of appends, reads, commits, crashes and restarts, each event is handed
 * out until it is done.
 */
import assert from 'node:assert/strict'
import { cpSync, rmSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { EventBuffer, Reader } from '../../buffer/buffer.ts'
import type { Batch } from '../../server/core/event.ts'
import { quickFileSystem as files, numbersOf, openBuffer, readerOf, stream, temporaryFolder } from './harness.ts'

type Step =
  | { readonly kind: 'append'; readonly count: number; readonly padBytes: number; readonly named: boolean }
  | { readonly kind: 'again' | 'read' | 'reopen' | 'crash' }
  | { readonly kind: 'commit'; readonly which: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: appendStep() },
  { weight: 4, arbitrary: fc.constant({ kind: 'read' as const }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('commit' as const), which: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('again' as const, 'reopen' as const, 'crash' as const) }) },
)

function appendStep(): fc.Arbitrary<Step> {
  return fc.record({
    kind: fc.constant('append' as const),
    count: fc.integer({ min: 1, max: 5 }),
    padBytes: fc.constantFrom(0, 10, 3_000, 20_000),
    named: fc.boolean(),
  })
}

/** The buffer, and what must be true of it. */
class Model {
  readonly #folder: string
  #round = 0
  #buffer!: EventBuffer
  #reader!: Reader
  #stored = 0
  readonly #done = new Set<number>()
  /** Handed out since the start, not committed. */
  #lent: { batch: Batch; numbers: number[] }[] = []
  #seen = new Set<number>()
  #last: ReturnType<typeof stream> | undefined

  constructor(folder: string) {
    this.#folder = folder
  }

  async open(): Promise<void> {
    this.#buffer = await openBuffer(this.#path(), { files, chunkSizeBytes: 16 * 1024 })
    this.#reader = await readerOf(this.#buffer, 'out', { files })
    this.#lent = []
    this.#seen = new Set(this.#done)
  }

  async run(each: Step): Promise<void> {
    if (each.kind === 'append') await this.#append(each)
    else if (each.kind === 'again' && this.#last !== undefined) await this.#buffer.append(this.#last)
    else if (each.kind === 'read') await this.#read()
    else if (each.kind === 'commit') this.#commit(each.which)
    else if (each.kind === 'reopen') await this.#reopen()
    else if (each.kind === 'crash') await this.#crash()
  }

  /** Reads and commits all that is left: nothing is missing and nothing comes twice. */
  async finish(): Promise<void> {
    while (this.#seen.size < this.#stored) await this.#read()
    while (this.#lent.length > 0) this.#commit(0)
    await this.#reader.flush()
    assert.equal(this.#reader.status().cursor, this.#stored)
    assert.equal(this.#reader.status().damagedEvents, 0)
    await this.close()
  }

  async close(): Promise<void> {
    await this.#reader.close()
    await this.#buffer.close()
  }

  async #append({ count, padBytes, named }: Extract<Step, { kind: 'append' }>): Promise<void> {
    const chunkId = named ? { chunkId: `c${this.#stored}` } : {}
    const made = stream(this.#stored, count, { padBytes, ...chunkId })
    this.#last = named ? made : undefined
    await this.#buffer.append(made)
    this.#stored += count
    assert.equal(this.#buffer.status().next, this.#stored)
  }

  async #read(): Promise<void> {
    if (this.#seen.size === this.#stored) return
    const limits = { maxBytes: 10_000, maxEvents: 3, maxAgeMs: 0 }
    const batch = await this.#reader.read(limits, new AbortController().signal)
    const numbers = numbersOf(batch)
    for (const part of batch.streams) assert.equal(part.position, numbersOf({ ...batch, streams: [part] })[0])
    for (const number of numbers) {
      assert.ok(!this.#seen.has(number), `${number} came twice`)
      this.#seen.add(number)
    }
    this.#lent.push({ batch, numbers })
  }

  #commit(which: number): void {
    const [lent] = this.#lent.splice(which % Math.max(1, this.#lent.length), 1)
    if (lent === undefined) return
    assert.deepEqual(numbersOf(lent.batch), lent.numbers, 'the memory of a batch in flight has changed')
    this.#reader.commit(lent.batch)
    for (const number of lent.numbers) this.#done.add(number)
  }

  async #reopen(): Promise<void> {
    await this.close()
    await this.open()
  }

  /** The files as they are now, and the cursor as it was stored last. */
  async #crash(): Promise<void> {
    await this.#reader.flush()
    const before = this.#path()
    this.#round += 1
    cpSync(before, this.#path(), { recursive: true, filter: (file) => !path.basename(file).startsWith('LOCK') })
    await this.close()
    rmSync(before, { recursive: true })
    await this.open()
  }

  #path(): string {
    return path.join(this.#folder, String(this.#round))
  }
}

test('random work', async () => {
  using folder = temporaryFolder()
  let runs = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      runs += 1
      const model = new Model(path.join(folder.path, String(runs)))
      await model.open()
      for (const each of steps) await model.run(each)
      await model.finish()
      rmSync(path.join(folder.path, String(runs)), { recursive: true })
    }),
    { numRuns: 40 },
  )
})
