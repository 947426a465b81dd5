/** F3, F4. The power goes while the program writes: what it had acknowledged is on the disk, names and all. */
import { rmSync } from 'node:fs'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Program, StartOptions } from '../e2e/program.ts'
import { POWER_CUTS } from './bounds.ts'
import { canMake, needDisks } from './capabilities.ts'
import { type LoopDisk, mountLoopDisk } from './disks.ts'
import { createOracle, type Oracle } from './oracle.ts'
import { createRandom, SEED } from './random.ts'

const DISK_MIB = 256
/** From readiness to the cut. */
const LIFE_MS = { least: 50, most: 1_500 }
const RATE = 4_000

/** A program whose buffer lies on a disk of its own; the client goes on through all its lives. */
async function createScene(t: TestContext): Promise<{ disk: LoopDisk; oracle: Oracle }> {
  const disk = await mountLoopDisk(t, { mebibytes: DISK_MIB })
  const buffer = { path: path.join(disk.folder, 'buffer'), chunk_size: '1MiB' }
  const oracle = await createOracle(t, { batch: 100, refuseEvery: 997, config: { buffer } })
  return { disk, oracle }
}

/** Cuts the power under a program that runs, and starts another when it is back. */
async function cut({ disk, oracle }: { disk: LoopDisk; oracle: Oracle }, program: Program, next: StartOptions = {}) {
  disk.powerCut()
  await program.kill()
  await disk.remount()
  return oracle.start(next)
}

test(`${POWER_CUTS} power cuts at random moments (seed ${SEED})`, async (t) => {
  if (!canMake(t, 'F3', needDisks)) return
  const random = createRandom()
  const scene = await createScene(t)
  let program = await scene.oracle.start()
  const client = scene.oracle.client({ rate: RATE })
  for (let n = 0; n < POWER_CUTS; n += 1) {
    await sleep(random.between(LIFE_MS.least, LIFE_MS.most))
    program = await cut(scene, program)
  }
  await client.end()
  await scene.oracle.judge(program, 'F3', POWER_CUTS)
})

/** Long enough to be met: the cut ends it. */
const PAUSE_MS = 60_000
/** A cursor's file is made once; the rest is met a second time, so that there is something to lose. */
const WINDOWS = {
  'buffer.roll': 2,
  'buffer.create.before-directory-sync': 2,
  'buffer.delete.before-unlink': 2,
  'buffer.delete.after-unlink': 2,
  'cursor.before-rename': 1,
  'cursor.after-rename': 1,
  'cursor.after-write': 2,
  'buffer.after-write': 20,
  'buffer.after-sync': 20,
}

test('power cuts while a chunk is begun or deleted, a cursor written, a group synced', async (t) => {
  if (!canMake(t, 'F4', needDisks)) return
  const scene = await createScene(t)
  let program = await scene.oracle.start()
  const client = scene.oracle.client({ rate: RATE })
  let cuts = 0
  for (const [window, hit] of Object.entries(WINDOWS)) {
    await program.kill()
    if (window.endsWith('-rename')) rmSync(path.join(scene.disk.folder, 'buffer', 'cursors'), { recursive: true })
    program = scene.oracle.spawn({ env: { LOGBOOM_FAILPOINTS: `${window}=pause:${PAUSE_MS}ms@${hit}` } })
    const stands = () => program.stderr.includes(`failpoint ${window}: pause`)
    await program.until(`standing at ${window}`, stands, PAUSE_MS / 2)
    program = await cut(scene, program)
    cuts += 1
  }
  await client.end()
  await scene.oracle.judge(program, 'F4', cuts, Object.keys(WINDOWS).join(', '))
})
