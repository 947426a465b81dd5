/** F34: the clock jumps by hours and years, back too while a batch is retried. Nothing stalls, nothing is lost. */
import assert from 'node:assert/strict'
import { globSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { answerJson, startFakeSearchServer } from '../outputs/elasticsearch/fake-search-server.ts'
import { need, needPrograms, Unavailable } from '../services/launchers/availability.ts'
import { connectForward } from './forward-client.ts'
import { createSite } from './program.ts'

const HOUR_S = 3_600
const YEAR_S = 365 * 24 * HOUR_S
/** Against the true time; at each, one request is refused first, so that the next jump finds it waiting. */
const JUMPS_S = [0, HOUR_S, -HOUR_S, YEAR_S, -YEAR_S, 0]
const DELIVERED_WITHIN_MS = 20_000

/** Gives a program another clock, which a file sets at any time; timers go on as they are. */
function findFakeClock(): string {
  needPrograms({ faketime: 'faketime' })
  const [library] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')
  if (library === undefined) throw new Unavailable('libfaketimeMT.so.1 is not where Debian has it')
  return library
}

test('events of every clock are delivered once, in order, at the time of that clock', async (t) => {
  const library = await need(t, findFakeClock)
  if (library === undefined) return
  const search = await startFakeSearchServer()
  t.after(() => search.close())
  const outputs = { search: { type: 'elasticsearch', url: search.url, batch: { age: '10ms' } } }
  const site = await createSite(t, { outputs })
  const file = path.join(site.folder, 'clock')
  const setClock = (seconds: number) => writeFileSync(file, `${seconds < 0 ? '' : '+'}${seconds}\n`)
  setClock(0)
  const env = {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    // Timers run by this one, which no jump moves.
    DONT_FAKE_MONOTONIC: '1',
  }
  const program = await site.start({ env })
  const client = await connectForward(site.forwardPort)
  t.after(() => client.destroy())
  for (const [index, jump] of JUMPS_S.entries()) {
    search.script.push(answerJson(503, {}))
    setClock(jump)
    // 0: the time of receipt.
    await client.send(['docker.web', 0, { log: `event ${index}` }, {}])
    if (index % 2 === 1) await program.until('refused', () => search.script.length === 0, DELIVERED_WITHIN_MS)
    else await program.until('delivered', () => search.documents.size === index + 1, DELIVERED_WITHIN_MS)
  }
  await program.until('delivered', () => search.documents.size === JUMPS_S.length, DELIVERED_WITHIN_MS)
  await program.untilDrained()
  const documents = [...search.documents.values()].map(({ text }) => JSON.parse(text) as Record<string, string>)
  documents.sort((a, b) => Number(a.sequence) - Number(b.sequence))
  assert.deepEqual(
    documents.map(({ log }) => log),
    JUMPS_S.map((_, index) => `event ${index}`),
  )
  for (const [index, document] of documents.entries()) {
    const off = (Date.parse(document['@timestamp']!) - Date.now()) / 1_000 - JUMPS_S[index]!
    assert.ok(Math.abs(off) < HOUR_S / 2, `event ${index} is of ${document['@timestamp']}`)
  }
  assert.equal((await program.output('search')).unaccounted, 0)
  assert.equal(await program.isReady(), true)
})
