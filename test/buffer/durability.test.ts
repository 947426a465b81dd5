/**
 * Random work on a disk that loses what was not synced, fails, and rots, against a model: thousands of runs, and the
 * proof that the model finds what is broken. A failure prints its seed and path: `SEED=… FC_PATH=… node --test` runs
 * it again.
 */
import assert from 'node:assert/strict'
import { afterEach, describe, mock, test } from 'node:test'
import fc from 'fast-check'
import type { FileSystem, OpenFile } from '../../buffer/file-system.ts'
import { reportFault } from '../faults/report.ts'
import { type Call, Machine, type Mutant, type Step } from './durability-machine.ts'

const SEED = Number(process.env.SEED ?? Date.now() % 2 ** 31)
const PATH = process.env.FC_PATH
const RUNS = Number(process.env.RUNS ?? 2_500)
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

/** With `path` one failure is run again. */
function parameters(runs: number) {
  return { numRuns: runs, seed: SEED, ...(PATH !== undefined && { path: PATH }), endOnFailure: false }
}

describe('random work', () => {
  test('nothing acknowledged is lost, whatever the disk loses or refuses', async (context) => {
    context.diagnostic(`SEED=${SEED}`)
    await fc.assert(
      fc.asyncProperty(lives(sound), (life) => live(life)),
      parameters(RUNS),
    )
    reportFault({ fault: 'model', tried: RUNS, acked: 0, lost: 0, doubled: 0, note: `seed ${SEED}` })
  })

  test('a bit that rots costs its frame at most', async (context) => {
    context.diagnostic(`SEED=${SEED}`)
    await fc.assert(
      fc.asyncProperty(lives(rotting), (life) => live(life)),
      parameters(RUNS),
    )
  })
})

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

describe('the model finds', () => {
  const mutants: { readonly title: string; readonly mutant: Mutant }[] = [
    { title: 'an ack before the sync', mutant: { ack: 'written' } },
    { title: 'no sync of folders', mutant: { wrap: (files) => ({ ...files, syncDirectory: nothing }) } },
    {
      title: 'no sync of chunks',
      mutant: { wrap: (files) => onFiles(files, /chunk$/, () => ({ syncData: nothing })) },
    },
    {
      title: 'a sync that is tried again when it fails',
      mutant: {
        wrap: (files) =>
          onFiles(files, /chunk$/, (open) => ({ syncData: () => open.syncData().catch(() => open.syncData()) })),
      },
    },
    {
      title: 'a short write that is taken for a whole one',
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
      mutant: { wrap: (files) => onFiles(files, /cursor/, () => ({ syncData: nothing, sync: nothing })) },
    },
  ]
  for (const { title, mutant } of mutants) {
    test(title, async () => {
      const property = fc.asyncProperty(lives(sound), (life) => live(life, mutant))
      const found = await fc.check(property, { numRuns: MUTANT_RUNS, seed: SEED, endOnFailure: true })
      assert.ok(found.failed, `SEED=${SEED}: ${MUTANT_RUNS} runs found nothing`)
    })
  }
})
