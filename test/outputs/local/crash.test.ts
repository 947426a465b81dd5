/** A process that is killed while it writes loses nothing that was promised, and stores nothing twice afterwards. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { makeBatch } from '../../conformance/make-batch.ts'
import { openStore, temporaryFolder } from './local-store.ts'

const CHILD = fileURLToPath(new URL('./crash-child.ts', import.meta.url))
const KILLS = 3

/** Lets the child write from `position` on and kills it in the middle. @returns up to where it was promised. */
async function writeAndKill(directory: string, position: number, lines: number): Promise<number> {
  const child = spawn(process.execPath, [CHILD, directory, String(position)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let promised = position
  let seen = 0
  for await (const line of createInterface({ input: child.stdout })) {
    promised = Number(line)
    seen++
    if (seen === lines) child.kill('SIGKILL')
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  assert.equal(child.signalCode, 'SIGKILL')
  return promised
}

test('killed while writing: what was promised is there, once', async (t) => {
  const directory = temporaryFolder(t)
  let promised = 0
  for (let kill = 0; kill < KILLS; kill++)
    promised = await writeAndKill(directory, Math.max(0, promised - 300), 4 + kill)

  const { store, search } = openStore(t, { directory })
  const before = await search.search({ text: '', limit: 1 })
  assert.ok(Number(before.newest) >= promised, `${before.newest} of ${promised}`)

  // The cursor may be behind: the same positions come again, cut into other batches.
  const end = Number(before.newest) + 10
  for (let position = 0; position < end; position += 777) {
    const events = Array.from({ length: Math.min(777, end - position) }, (_, index) => ({
      record: { n: `n${position + index}` },
    }))
    store.write(makeBatch([{ position, events }]))
  }
  const seen: string[] = []
  let cursor: string | undefined
  do {
    const page = await search.search({ text: '', limit: 1_000, ...(cursor === undefined ? {} : { before: cursor }) })
    for (const { json } of page.hits) seen.push(JSON.parse(json).n)
    cursor = page.next
  } while (cursor !== undefined)
  assert.deepEqual(
    seen.reverse(),
    Array.from({ length: end }, (_, n) => `n${n}`),
  )
  const { hits } = await search.search({ text: `n${promised - 1}`, limit: 10 })
  assert.equal(hits.length, 1)
})
