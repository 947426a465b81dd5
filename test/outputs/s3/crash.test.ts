/** A process that is killed between any two steps stores every event once, whatever it reads again. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { FAILPOINTS } from '../../../server/core/failpoints.ts'
import { type Site, storedNumbers, temporarySite } from './folder-store.ts'

const CHILD = fileURLToPath(new URL('./crash-child.ts', import.meta.url))
const EVENTS = 2_000
const HITS = [1, 3, 8]

/** @returns how it ended: a signal, or 0. */
function run({ staging }: Site, batchEvents: number, failpoints: string): NodeJS.Signals | number | null {
  const args = [CHILD, path.dirname(staging), String(EVENTS), String(batchEvents)]
  const env = { ...process.env, LOGBOOM_FAILPOINTS: failpoints }
  const { signal, status, stderr } = spawnSync(process.execPath, args, { env })
  if (signal === null && status !== 0) throw new Error(stderr.toString())
  return signal ?? status
}

for (const name of Object.keys(FAILPOINTS).filter((it) => it.startsWith('s3.'))) {
  test(`killed at ${name}: each event is stored once`, (t) => {
    const site = temporarySite(t)
    const ends = HITS.map((hit, n) => run(site, 37 + n * 11, `${name}=kill@${hit}`))
    assert.ok(ends.includes('SIGKILL'), `${name} was hit`)
    assert.equal(run(site, 100, ''), 0)
    assert.deepEqual(
      storedNumbers(site),
      Array.from({ length: EVENTS }, (_, n) => n),
    )
    assert.deepEqual(readdirSync(site.staging), ['manifest'])
  })
}
