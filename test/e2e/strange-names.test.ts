/** F39: tags, keys and values that mean something to a path, a shell, a browser or a prototype, up to the page. */
import assert from 'node:assert/strict'
import { existsSync, globSync } from 'node:fs'
import path from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { chromium } from 'playwright-core'
import { need } from '../services/launchers/availability.ts'
import { chromiumOptions } from '../services/launchers/chromium.ts'
import { connectForward } from './forward-client.ts'
import { createSite, type Program } from './program.ts'

const MARK = 'strange-escape'
const STRANGE: readonly string[] = [
  `../../../../tmp/${MARK}`,
  `/tmp/${MARK}`,
  `%2e%2e%2f${MARK}`,
  `${MARK}\u0000.txt`,
  `${MARK}\r\nX-Injected: 1\r\n\r\n{"a":1}`,
  `\u202e${MARK}\u202c\u200f`,
  '__proto__',
  'constructor',
  `<script>globalThis.strange = 1</script>`,
  `"><img src=x onerror="globalThis.strange = 1">`,
  `$(touch /tmp/${MARK})`,
  `{tag[0]} \${HOME} %Y`,
  `\ud83d\ude00 é \u2028 \\`,
]
const LONG = 'x'.repeat(10_240)

interface Hit {
  readonly tag: string
  readonly event: Readonly<Record<string, unknown>>
}

/** An object whose keys are what they say, `__proto__` too. */
const recordOf = (text: string): object =>
  Object.fromEntries([
    ['log', text],
    [text, text],
    ['deep', Object.fromEntries([[text, [text]]])],
    ['long', LONG],
  ])

const hitsOf = async (program: Program) =>
  (JSON.parse(await program.text('/api/v1/events?limit=100')) as { hits: Hit[] }).hits.toReversed()

async function startWithEvents(t: TestContext) {
  const site = await createSite(t, { outputs: { local: {} } })
  const program = await site.start()
  const client = await connectForward(site.forwardPort)
  for (const text of STRANGE) await client.send([text, 1_795_180_000, packedMap(recordOf(text)), {}])
  client.destroy()
  await program.untilDrained()
  return { site, program }
}

/** msgpackr leaves out a key of `__proto__` of an object, not of a Map. */
function packedMap(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(packedMap)
  if (typeof value !== 'object' || value === null) return value
  return new Map(Object.entries(value).map(([key, inner]) => [key, packedMap(inner)]))
}

describe('strange names', () => {
  test('the same comes back from the local store, and no file has such a name', async (t) => {
    const { site, program } = await startWithEvents(t)
    const hits = await hitsOf(program)
    assert.deepEqual(
      hits.map(({ tag }) => tag),
      [...STRANGE],
    )
    for (const [index, { event }] of hits.entries()) {
      const { '@timestamp': _, sequence: __, tag, ...own } = event
      assert.deepEqual(Object.entries(own), Object.entries(recordOf(STRANGE[index]!)))
      assert.equal(tag, STRANGE[index])
    }
    assert.equal(await program.metric('logboom_input_rejected_total'), 0)
    const files = globSync('**/*', { cwd: site.folder })
    assert.deepEqual(
      files.filter((name) => name.includes(MARK)),
      [],
    )
    for (const place of ['/tmp', path.dirname(site.folder)]) assert.equal(existsSync(path.join(place, MARK)), false)
  })

  test('a tag or a key of 10 KB is counted, its event left out, and acknowledged', async (t) => {
    const site = await createSite(t, { outputs: { local: {} } })
    const program = await site.start()
    const client = await connectForward(site.forwardPort)
    await client.send([LONG, 1, { log: 'a' }, {}])
    await client.send(['t', 1, { [LONG]: 'b' }, {}])
    await client.send(['t', 1, { log: LONG }, {}])
    client.destroy()
    await program.untilDrained()
    assert.deepEqual(
      (await hitsOf(program)).map(({ event }) => event.log),
      [LONG],
    )
    for (const reason of ['bad_tag', 'bad_event']) {
      assert.equal(await program.metric('logboom_input_rejected_total', `reason="${reason}"`), 1, reason)
    }
  })

  test('the page shows them as text', async (t) => {
    const options = await need(t, chromiumOptions)
    if (options === undefined) return
    const { program } = await startWithEvents(t)
    const browser = await chromium.launch(options)
    t.after(() => browser.close())
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('dialog', (dialog) => {
      complaints.push(`dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    await page.goto(program.adminUrl)
    const rows = page.getByTestId('event')
    await rows.nth(STRANGE.length - 1).waitFor({ timeout: 30_000 })
    for (const text of ['<script>globalThis.strange = 1</script>', '"><img src=x', '⟨202E⟩', '__proto__']) {
      const row = rows.filter({ hasText: text }).first()
      await row.click({ timeout: 30_000 })
      await page.getByTestId('detail').filter({ hasText: text }).waitFor()
      await page.keyboard.press('Escape')
    }
    assert.equal(await page.evaluate(() => 'strange' in globalThis), false)
    assert.equal(await page.evaluate(() => document.querySelectorAll('#app script, #app img').length), 0)
    assert.deepEqual(complaints, [])
  })
})
