/**
 * Random work on a disk that loses what was not synced, fails, and rots, against a model: thousands of runs, and the
 * proof that the model finds what is broken. A failure prints its seed and path: `SEED=… FC_PATH=… node --test` runs
 * it again.
 */
import assert from 'node:assert/strict'
import { afterEach, describe, mock, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import type { FileSystem, OpenFile } from '../../buffer/file-system.ts'
import { reportFault } from '../faults/report.ts'
import { type Call, Machine, type Mutant, type Step } from './durability-machine.ts'

const SEED = Number(process.env.SEED ?? Date.now() % 2 ** 31)
const PATH = process.env.FC_PATH
const RUNS = Number(process.env.RUNS ?? 1_500)
/** A slow machine does fewer runs, and says how many. */
const LIMIT_MS = 20_000
/** Runs a mutant may survive. */
const MUTANT_RUNS = 3_000

afterEach(() => mock.timers.reset())

const CALLS: readonly Call[] = ['write', 'syncData', 'sync', 'truncate', 'rename', 'unlink', 'syncDirectory', 'create']

const append: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('append' as const),
  count: fc.integer({ min: 1, max: 3 }),
  padBytes: fc.constantFrom(0, 10, 300, 700, 1_500),
  named: fc.boolean(),
})
const crash: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('crash' as const),
  kind: fc.constantFrom('kill' as const, 'power' as const),
  calls: fc.nat(12),
})
const fault: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('fault' as const),
  call: fc.constantFrom(...CALLS),
  nth: fc.integer({ min: 1, max: 4 }),
  bytes: fc.constantFrom(-1, 0, 7, 40, 600),
})
const ofOutput = <K extends 'read' | 'commit'>(kind: K) =>
  fc.record({ do: fc.constant(kind), output: fc.nat(1), which: fc.nat(3) })
const seek = fc.record({ do: fc.constant('seek' as const), output: fc.nat(1), part: fc.nat(10) })
const corrupt = fc.record({ do: fc.constant('corrupt' as const), seed: fc.nat() })
const plain = fc.record({ do: fc.constantFrom('again' as const, 'flush' as const, 'tick' as const) })

const sound: readonly { weight: number; arbitrary: fc.Arbitrary<Step> }[] = [
  { weight: 7, arbitrary: append },
  { weight: 5, arbitrary: plain },
  { weight: 4, arbitrary: ofOutput('read') },
  { weight: 4, arbitrary: ofOutput('commit') },
  { weight: 3, arbitrary: crash },
  { weight: 2, arbitrary: fault },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'reopen' }) },
  { weight: 1, arbitrary: seek },
]
const rotting = [...sound, { weight: 1, arbitrary: corrupt }]

interface Life {
  readonly seed: number
  readonly steps: readonly Step[]
}

function lives(steps: typeof sound): fc.Arbitrary<Life> {
  return fc.record({ seed: fc.nat(), steps: fc.array(fc.oneof(...steps), { maxLength: 40 }) })
}

async function live({ seed, steps }: Life, mutant: Mutant = {}): Promise<void> {
  const machine = new Machine(seed, mutant)
  await machine.boot()
  for (const step of steps) await machine.run(step)
  await machine.run({ do: 'crash', kind: 'power', calls: 0 })
  await machine.finish()
}

async function runAll(context: TestContext, steps: typeof sound): Promise<number> {
  const until = performance.now() + LIMIT_MS
  let runs = 0
  const property = fc.asyncProperty(lives(steps), async (life) => {
    if (performance.now() > until) return
    await live(life)
    runs += 1
  })
  await fc.assert(property, { numRuns: RUNS, seed: SEED, ...(PATH !== undefined && { path: PATH }) })
  context.diagnostic(`SEED=${SEED}, ${runs} runs`)
  return runs
}

describe('random work', () => {
  test('nothing acknowledged is lost, whatever the disk loses or refuses', async (context) => {
    const runs = await runAll(context, sound)
    reportFault({ fault: 'model', tried: runs, acked: 0, lost: 0, doubled: 0, note: `seed ${SEED}` })
  })

  test('a bit that rots costs its frame at most', async (context) => void (await runAll(context, rotting)))
})

test('a chunk that was only begun, and comes back beside a new id of the buffer, is taken away without a word', () =>
  live({
    seed: 272_262_490,
    steps: [
      { do: 'fault', call: 'syncDirectory', nth: 1, bytes: -1 },
      { do: 'crash', kind: 'kill', calls: 7 },
      { do: 'append', count: 1, padBytes: 0, named: false },
    ],
  }))

test('what could not be made durable at a start, and was sent again since, may be missing afterwards', () =>
  live({
    seed: 0,
    steps: [
      { do: 'append', count: 1, padBytes: 0, named: false },
      { do: 'fault', call: 'write', nth: 2, bytes: -1 },
      { do: 'crash', kind: 'kill', calls: 1 },
      { do: 'append', count: 1, padBytes: 0, named: true },
      { do: 'again' },
    ],
  }))

/** Changes the calls of files whose name fits. */
function onFiles(files: FileSystem, fits: RegExp, change: (open: OpenFile) => Partial<OpenFile>): FileSystem {
  return {
    ...files,
    open: async (file, mode) => {
      const open = await files.open(file, mode)
      return fits.test(file) ? { ...open, ...change(open) } : open
    },
  }
}

const nothing = async () => {}

function failing(call: Call, bytes: number): fc.Arbitrary<Step> {
  return fc.constant({ do: 'fault', call, nth: 1, bytes })
}

describe('the model finds', () => {
  /** `favours`: the fault that shows it, so that it is found soon. */
  const mutants: { readonly title: string; readonly favours: fc.Arbitrary<Step>; readonly mutant: Mutant }[] = [
    { title: 'an ack before the sync', favours: crash, mutant: { ack: 'written' } },
    {
      title: 'no sync of folders',
      favours: crash,
      mutant: { wrap: (files) => ({ ...files, syncDirectory: nothing }) },
    },
    {
      title: 'no sync of chunks',
      favours: crash,
      mutant: { wrap: (files) => onFiles(files, /chunk$/, () => ({ syncData: nothing })) },
    },
    {
      title: 'a sync that is tried again when it fails',
      favours: failing('syncData', -1),
      mutant: {
        wrap: (files) =>
          onFiles(files, /chunk$/, (open) => ({ syncData: () => open.syncData().catch(() => open.syncData()) })),
      },
    },
    {
      title: 'a short write that is taken for a whole one',
      favours: failing('write', 40),
      mutant: {
        wrap: (files) =>
          onFiles(files, /chunk$/, (open) => ({
            write: async (pieces, offset) => {
              await open.write(pieces, offset)
              return pieces.reduce((sum, piece) => sum + piece.length, 0)
            },
          })),
      },
    },
    {
      title: 'a cursor that is called durable and is not',
      favours: plain,
      mutant: { wrap: (files) => onFiles(files, /cursor/, () => ({ syncData: nothing, sync: nothing })) },
    },
  ]
  for (const { title, favours, mutant } of mutants) {
    test(title, async () => {
      const steps = [...sound, { weight: 8, arbitrary: favours }]
      const property = fc.asyncProperty(lives(steps), (life) => live(life, mutant))
      const found = await fc.check(property, { numRuns: MUTANT_RUNS, seed: SEED, endOnFailure: true })
      assert.ok(found.failed, `SEED=${SEED}: ${MUTANT_RUNS} runs found nothing`)
    })
  }
})
