/** F14, F15. Files of the buffer that are lost, old, or of another version. */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { createSite, ROOT } from '../e2e/program.ts'
import { startBulkSink } from '../load/bulk-sink.ts'
import { createOracle } from './oracle.ts'
import { reportFault } from './report.ts'

test('F14: cursors deleted, damaged, and an older copy of them: events come again, under the same ids', async (t) => {
  const oracle = await createOracle(t, { refuseEvery: 997 })
  const cursors = path.join(oracle.site.bufferPath, 'cursors')
  const older = path.join(oracle.site.folder, 'older')
  let program = await oracle.start()
  await oracle.client({ events: 1_000 }).done
  await program.untilDrained()
  await program.stop()
  cpSync(cursors, older, { recursive: true })
  const restore = () => {
    rmSync(cursors, { recursive: true })
    cpSync(older, cursors, { recursive: true })
  }
  const damage = () => {
    for (const name of readdirSync(cursors)) writeFileSync(path.join(cursors, name), Buffer.alloc(16_384, 0x5a))
  }
  const changes = [() => rmSync(cursors, { recursive: true }), damage, restore]
  for (const change of changes) {
    program = await oracle.start()
    await oracle.client({ events: 2_000 }).done
    await program.untilDrained()
    await program.stop()
    const { conflicts } = oracle.sink.stats
    change()
    program = await oracle.start()
    await program.until('delivering again', () => oracle.sink.stats.conflicts > conflicts, 30_000)
    await program.untilDrained()
    await program.stop()
  }
  program = await oracle.start()
  await oracle.judge(program, 'F14', changes.length, 'deleted, damaged, older')
})

test('F15: a buffer of a later version is refused and not touched; an earlier FORMAT back, it goes on', async (t) => {
  const oracle = await createOracle(t)
  let program = await oracle.start()
  await oracle.client({ events: 1_000 }).done
  await program.kill()
  const format = path.join(oracle.site.bufferPath, 'FORMAT')
  const own = readFileSync(format)
  const contents = () => {
    const chunks = path.join(oracle.site.bufferPath, 'chunks')
    return readdirSync(chunks).map((name) => readFileSync(path.join(chunks, name)).toString('hex'))
  }
  const before = contents()
  const later = 'logboom-buffer 99\nid of another kind\n'
  writeFileSync(format, `${later}crc ${crc32(later).toString(16).padStart(8, '0')}\n`)
  const end = await oracle.site.run(['run', '-c', oracle.site.configFile])
  assert.equal(end.code, 73, end.stderr)
  assert.match(end.stderr, /LB-B002/)
  assert.deepEqual(contents(), before)
  writeFileSync(format, own)
  program = await oracle.start()
  await oracle.judge(program, 'F15', 1, 'a later version')
})

/** In each of the files `test/golden/buffer/v*.chunk`, under this id. */
const GOLDEN = { events: 8, id: '000102030405060708090a0b', name: '0000000000000064.chunk' }

for (const version of [1, 2]) {
  test(`F15: what a buffer of version ${version} has left is delivered, and new events behind it`, async (t) => {
    const sink = await startBulkSink({ keyed: true })
    t.after(() => sink.close())
    const search = { type: 'elasticsearch', match: '**', url: sink.url, index: 'logs' }
    const site = await createSite(t, { outputs: { search } })
    mkdirSync(path.join(site.bufferPath, 'chunks'), { recursive: true })
    cpSync(path.join(ROOT, `test/golden/buffer/v${version}.chunk`), path.join(site.bufferPath, 'chunks', GOLDEN.name))
    const lines = `logboom-buffer ${version}\nid ${GOLDEN.id}\nfloor 0\n`
    const crc = crc32(lines).toString(16).padStart(8, '0')
    writeFileSync(path.join(site.bufferPath, 'FORMAT'), `${lines}crc ${crc}\n`)
    const program = await site.start()
    await program.until('delivering the old', () => sink.stats.documents >= GOLDEN.events, 60_000)
    const sent = await site.run(['send', 'app.new', '--port', String(site.forwardPort)], 'new\n')
    assert.equal(sent.code, 0, sent.stderr)
    await program.until('delivering the new', () => sink.stats.documents > GOLDEN.events, 60_000)
    await program.untilDrained()
    assert.equal(await program.metric('logboom_ledger_unaccounted_events'), 0)
    const doubled = sink.stats.documents - GOLDEN.events - 1
    reportFault({
      fault: 'F15',
      tried: 1,
      acked: GOLDEN.events,
      lost: 0,
      doubled,
      note: `version ${version} taken over`,
    })
    assert.equal(doubled, 0)
  })
}
