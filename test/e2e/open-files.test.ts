/** F32: as many connections as files may be open. New chunks can be begun, who is inside is served, all recovers. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { need, needPrograms } from '../services/launchers/availability.ts'
import { connectForward, type ForwardClient } from './forward-client.ts'
import { createSite } from './program.ts'

const FILES = 64
/** Descriptors that sockets do not get, of so few. */
const KEPT = 16
const CROWD = 100
/** More than one chunk of the buffer. */
const EVENTS = 300
const LINE = 'z'.repeat(100_000)

test(`with ${FILES} files it turns connections away, and stores on in new chunks`, async (t) => {
  if ((await need(t, () => needPrograms({ prlimit: 'util-linux' }))) === undefined) return
  const site = await createSite(t, { outputs: { local: {} } })
  const program = await site.start({ wrap: ['prlimit', `--nofile=${FILES}`] })
  const honest = await connectForward(site.forwardPort)
  await honest.sendEvent('docker.web', { log: 'before' })
  const crowd: ForwardClient[] = []
  t.after(() => {
    for (const client of [honest, ...crowd]) client.destroy()
  })
  while (crowd.length < CROWD) crowd.push(await connectForward(site.forwardPort))
  const inside = () => crowd.filter((client) => client.isOpen)
  const turnedAway = () => program.metric('logboom_input_rejected_total', 'reason="too_many_connections"')
  await program.until('full', async () => (await turnedAway()) + inside().length === CROWD, 10_000)
  assert.ok(inside().length > 0, 'some are let in')

  for (let i = 0; i < EVENTS; i += 1) await honest.sendEvent('docker.web', { log: LINE })
  for (const client of inside()) await client.sendEvent('docker.web', { log: 'inside' })
  const open = readdirSync(`/proc/${program.pid}/fd`).length
  assert.ok(open < FILES, `${open} files are open`)
  const knocks = (await program.status()).doorbell.map(({ code, text }) => `${code} ${text}`)
  assert.match(knocks.join('\n'), /^LB-D013 127\.0\.0\.1 was turned away: of 64 files/)
  const served = inside().length

  for (const client of crowd) client.destroy()
  const newcomer = async () => {
    const client = await connectForward(site.forwardPort)
    const isIn = await client.sendEvent('docker.web', { log: 'after' }).then(
      () => true,
      () => false,
    )
    client.destroy()
    return isIn
  }
  await program.until('letting newcomers in', newcomer, 10_000)
  await program.untilDrained()
  assert.equal(await program.metric('logboom_input_events_total'), 1 + EVENTS + served + 1)
  process.stdout.write(`# ${served} of ${CROWD} were let in, ${open} of ${FILES} files open (${KEPT} are kept)\n`)
})
