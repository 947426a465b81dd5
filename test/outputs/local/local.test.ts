/** The local output: the suite of all outputs over a store in a fresh folder. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { output } from '../../../outputs/local/local.ts'
import type { SearchHit } from '../../../server/core/search.ts'
import { batchOf } from '../../conformance/make-batch.ts'
import { testOutput } from '../../conformance/output.ts'
import { contextOf, DEFAULT_CONFIG, HOUR_MS, temporaryFolder } from './local-store.ts'

/** The suite's events were received on a fixed day. */
const KEEP_ALL = { ...DEFAULT_CONFIG, keep_age: 1_000 * 365 * 24 * HOUR_MS }

testOutput({
  name: 'local',
  dedupes: true,
  open: async (context) => {
    const directory = mkdtempSync(join(tmpdir(), 'logboom-local-'))
    const own = { ...context, directory }
    const writer = await output.open(KEEP_ALL, own)
    const search = await output.openSearch!(KEEP_ALL, own)
    const all = async () => {
      const { hits } = await search.search({ text: '', after: '0', limit: 1_000 })
      return hits.map(({ json }: SearchHit) => json)
    }
    return {
      writer,
      read: async () => (await all()).map((json) => JSON.parse(json)),
      readText: async () => (await all()).join('\n'),
      close: async () => {
        await search.close()
        rmSync(directory, { recursive: true, force: true })
      },
    }
  },
})

test('a search goes on over what another writer of the same folder wrote', async (t) => {
  const directory = temporaryFolder(t)
  const search = await output.openSearch!(KEEP_ALL, contextOf(directory))
  t.after(() => search.close())
  assert.equal((await search.search({ text: '', limit: 1 })).newest, '0')
  for (const log of ['first', 'second']) {
    const writer = await output.open(KEEP_ALL, contextOf(directory))
    await writer.write(batchOf({ log }, { log }), new AbortController().signal)
    await writer.close()
  }
  assert.deepEqual(
    (await search.search({ text: 'first', limit: 9 })).hits.map(({ id }) => id),
    ['AAAAAAAAAAAAAAA0.1', 'AAAAAAAAAAAAAAA0.0'],
  )
})
