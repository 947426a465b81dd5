/** F40: a hundred thousand tags, and as many names of fields. What memory and metrics keep of them is bounded. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectForward, pack } from './forward-client.ts'
import { createSite, type Program } from './program.ts'

const TAGS = 100_000
const AT_ONCE = 1_000
/** Beside what the program takes for any 100,000 events. */
const GROWTH_LIMIT_MIB = 200

const seriesOf = async (program: Program) =>
  (await program.text('/metrics')).split('\n').filter((line) => /^\w/.test(line))

test('100,000 tags and field names: no new series, memory bounded, each event found by its tag', async (t) => {
  const site = await createSite(t, { outputs: { local: {} } })
  const program = await site.start()
  const client = await connectForward(site.forwardPort)
  t.after(() => client.destroy())
  await client.sendEvent('first', { log: 'x' })
  await program.untilDrained()
  const names = (lines: readonly string[]) => lines.map((line) => line.slice(0, line.lastIndexOf(' ')))
  const before = names(await seriesOf(program))
  const quietMiB = program.memoryMiB().now

  for (let first = 0; first < TAGS; first += AT_ONCE) {
    const messages = Array.from({ length: AT_ONCE }, (_, i) => {
      const n = first + i
      return pack([`tag.${n}.app`, 1_795_180_000, { [`field_${n}`]: n }, { chunk: `chunk ${n}` }])
    })
    await client.write(Buffer.concat(messages))
    for (let i = 0; i < AT_ONCE; i += 1) assert.equal(await client.nextAck(), `chunk ${first + i}`)
  }
  await program.untilDrained()
  const { now, peak } = program.memoryMiB()
  assert.deepEqual(names(await seriesOf(program)), before)
  process.stdout.write(
    `# memory: ${quietMiB.toFixed(0)} MiB before, ${now.toFixed(0)} MiB after, ${peak.toFixed(0)} MiB at most\n`,
  )
  assert.ok(peak - quietMiB < GROWTH_LIMIT_MIB, `${quietMiB} MiB before, ${peak} MiB at most`)
  for (const n of [0, 54_321, TAGS - 1]) {
    const { hits } = JSON.parse(await program.text(`/api/v1/events?q=tag:tag.${n}.app`)) as { hits: { tag: string }[] }
    assert.deepEqual(
      hits.map(({ tag }) => tag),
      [`tag.${n}.app`],
    )
  }
})
