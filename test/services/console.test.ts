/** The built page in a real Chromium, with sources in memory: what a person does, and what hostile events cannot do. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { build } from 'vite'
import { type Admin, startAdmin } from '../../server/admin/admin.ts'
import { fakeSources, statusReport } from '../admin/fake-sources.ts'

const PLACES = [process.env.CHROMIUM_PATH, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const CONFIG = join(import.meta.dirname, '../../server/console/vite.config.ts')
const FLAGS = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--disable-background-networking']

let browser: Browser
let consoleDirectory: string
let fake: ReturnType<typeof fakeSources>
let admin: Admin
let context: BrowserContext
/** Everything the page complained of: console errors, uncaught errors, CSP violations. */
let complaints: string[]

before(async () => {
  const executablePath = PLACES.find((place) => place !== undefined && existsSync(place))
  assert.ok(executablePath, 'no Chromium: install one, or set CHROMIUM_PATH')
  consoleDirectory = await mkdtemp(join(tmpdir(), 'logboom-console-'))
  await build({ configFile: CONFIG, logLevel: 'error', build: { outDir: consoleDirectory } })
  browser = await chromium.launch({ executablePath, args: FLAGS })
})
after(async () => {
  await browser?.close()
  await rm(consoleDirectory, { recursive: true, force: true })
})
beforeEach(async () => {
  fake = fakeSources()
  await serve(undefined)
  context = await browser.newContext({ viewport: { width: 1_280, height: 800 } })
  complaints = []
})
afterEach(async () => {
  await context.close()
  await admin.close()
})

async function serve(token: string | undefined) {
  admin = await startAdmin({ listen: { host: '127.0.0.1', port: 0 }, token, consoleDirectory }, fake.sources)
}

async function open(hash = ''): Promise<Page> {
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  await page.goto(`http://127.0.0.1:${admin.port}/${hash}`)
  return page
}

const row = (page: Page, text: string) => page.getByTestId('event').filter({ hasText: text })
/** Texts of the rows that are drawn, from the top. */
const rowTexts = (page: Page) => page.locator('[data-testid=event] .row-text').allTextContents()

describe('the doorbell', () => {
  it('shows who was turned away, hostile words as text', async () => {
    const text = '10.0.0.4 spoke <img src=x onerror=alert(1)> \u202eHTTP. For HTTP it is 127.0.0.1:9880.'
    const knock = {
      at: '2026-11-25T12:03:04.000Z',
      input: 'forward',
      peer: '10.0.0.4',
      code: 'LB-D001',
      text,
      count: 3,
    }
    fake.sources.report = statusReport({ doorbell: [knock] })
    const page = await open()
    await page.getByTestId('doorbell').locator('summary').click()
    const shown = await page.getByTestId('knock').textContent()
    assert.match(shown!, /spoke <img src=x onerror=alert\(1\)> ⟨202E⟩HTTP\..*3 times/)
    assert.deepEqual(complaints, [])
  })
})

describe('the empty page', () => {
  it('shows the commands with the real address, and gives way to the first event by itself', async () => {
    const report = statusReport()
    const inputs = [{ ...report.inputs[0]!, addresses: ['127.0.0.1:34224 tcp', '127.0.0.1:34224 udp'] }]
    fake.sources.report = { ...report, inputs }
    const page = await open()
    const commands = page.getByTestId('command')
    await commands.first().waitFor()
    const [docker, shell] = await commands.allTextContents()
    assert.match(
      docker!,
      /^docker run .*=fluentd .*-address=127\.0\.0\.1:34224 .*-request-ack=true alpine echo hello$/s,
    )
    assert.equal(shell, 'echo hello | logboom send demo.shell --port 34224')
    fake.search.add({ log: 'hello' })
    await row(page, 'hello').waitFor()
    assert.equal(await page.getByTestId('first-event').count(), 0)
    assert.deepEqual(complaints, [])
  })
  it('says why it is not ready', async () => {
    fake.sources.report = statusReport({ reasons: ['the buffer is full'] })
    const page = await open()
    await page.getByTestId('state').filter({ hasText: 'not ready: the buffer is full' }).waitFor()
  })
  it('says that there is no store', async () => {
    fake.sources.search = undefined
    const page = await open()
    await page.getByTestId('nothing').filter({ hasText: 'no output of type `local`' }).waitFor()
  })
})

describe('events', () => {
  it('arrive by the tail, the newest at the top', async () => {
    fake.search.add({ log: 'old' })
    const page = await open()
    await row(page, 'old').waitFor()
    fake.search.add({ log: 'new' })
    await row(page, 'new').waitFor()
    assert.deepEqual(await rowTexts(page), ['new', 'old'])
    await page.getByTestId('histogram').locator('canvas').waitFor()
    assert.deepEqual(complaints, [])
  })
  it('are found by the search box, whose query goes into the address', async () => {
    fake.search.add({ log: 'apple', level: 'info' })
    fake.search.add({ log: 'pear', level: 'error' })
    const page = await open()
    await row(page, 'apple').waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('level:error')
    await row(page, 'apple').waitFor({ state: 'detached' })
    assert.deepEqual(await rowTexts(page), ['pear'])
    assert.match(page.url(), /#q=level%3Aerror$/)
    fake.search.add({ log: 'plum', level: 'info' })
    fake.search.add({ log: 'peach', level: 'error' })
    await row(page, 'peach').waitFor()
    assert.deepEqual(await rowTexts(page), ['peach', 'pear'])
  })
  it('are found by a link', async () => {
    fake.search.add({ log: 'apple' })
    fake.search.add({ log: 'pear' })
    const page = await open('#q=pear')
    await row(page, 'pear').waitFor()
    assert.deepEqual(await rowTexts(page), ['pear'])
  })
  it('are filtered by a value of the field list', async () => {
    fake.search.add({ log: 'apple', colour: 'green' })
    fake.search.add({ log: 'cherry', colour: 'red' })
    const page = await open()
    await page.getByTestId('field-value').filter({ hasText: 'red' }).click()
    await row(page, 'apple').waitFor({ state: 'detached' })
    assert.equal(await page.getByTestId('query').inputValue(), 'colour:red')
  })
  it('open whole, with int64 exact and buttons that filter', async () => {
    const json = '{"log":"whole","level":"warn","user":{"id":9223372036854775807},"tag":"docker.web"}'
    fake.search.add({ log: 'whole', level: 'warn', user: { id: '9223372036854775807' } }, { json })
    fake.search.add({ log: 'other', level: 'info' })
    const page = await open()
    await row(page, 'whole').click()
    const detail = page.getByTestId('detail')
    await detail
      .getByTestId('field-row')
      .filter({ hasText: 'user.id' })
      .filter({ hasText: '9223372036854775807' })
      .waitFor()
    await detail.getByLabel('Filter out level').click()
    await row(page, 'whole').waitFor({ state: 'detached' })
    assert.equal(await page.getByTestId('query').inputValue(), '-level:warn')
    await page.keyboard.press('Escape')
    await detail.waitFor({ state: 'detached' })
    assert.deepEqual(complaints, [])
  })
  it('say where a query is wrong', async () => {
    fake.search.add({ log: 'apple' })
    const page = await open()
    await page.getByTestId('query').fill('ab "cd')
    const fault = page.getByTestId('query-error')
    await fault.waitFor()
    assert.equal(await fault.locator('mark').textContent(), '"cd')
    assert.match((await fault.textContent())!, /the quote is not closed/)
  })
  it('of a time are shown by dragging over the histogram', async () => {
    const now = Date.now()
    for (let minute = 0; minute < 14; minute += 1)
      fake.search.add({ log: `at -${minute}m` }, { timeMs: now - minute * 60_000 })
    const page = await open()
    await row(page, 'at -0m').waitFor()
    const plot = (await page.locator('.u-over').boundingBox())!
    await page.mouse.move(plot.x + 10, plot.y + 20)
    await page.mouse.down()
    await page.mouse.move(plot.x + plot.width / 3, plot.y + 20, { steps: 4 })
    await page.mouse.up()
    await page.getByTestId('range').waitFor()
    await row(page, 'at -0m').waitFor({ state: 'detached' })
    assert.ok((await rowTexts(page)).length >= 2)
    await page.getByTestId('range').click()
    await row(page, 'at -0m').waitFor()
    assert.deepEqual(complaints, [])
  })
})

describe('a held list', () => {
  it('loses nothing while it is paused', async () => {
    fake.search.add({ log: 'n0' })
    const page = await open()
    await row(page, 'n0').waitFor()
    await page.keyboard.press(' ')
    await page.getByTestId('pause').filter({ hasText: 'Paused' }).waitFor()
    for (let n = 1; n <= 237; n += 1) fake.search.add({ log: `n${n}` })
    const fresh = page.getByTestId('fresh').filter({ hasText: '+237 new' })
    await fresh.waitFor()
    assert.deepEqual(await rowTexts(page), ['n0'])
    await fresh.click()
    await page.getByTestId('pause').filter({ hasText: 'Live' }).waitFor()
    await row(page, 'n237').waitFor()
    const shown = await rowTexts(page)
    assert.deepEqual(
      shown,
      Array.from({ length: shown.length }, (_, index) => `n${237 - index}`),
    )
  })
  it('goes to the newest when more came than a list can hold', async () => {
    fake.search.add({ log: 'n0' })
    const page = await open()
    await row(page, 'n0').waitFor()
    await page.keyboard.press(' ')
    for (let n = 1; n <= 20_000; n += 1) fake.search.add({ log: `n${n}` })
    await page.getByTestId('fresh').filter({ hasText: 'new, more to come' }).click()
    await row(page, 'n20000').waitFor()
    fake.search.add({ log: 'live again' })
    await row(page, 'live again').waitFor()
    assert.deepEqual((await rowTexts(page)).slice(0, 3), ['live again', 'n20000', 'n19999'])
  })
  it('does not move under the reader, and loads what is older', async () => {
    for (let n = 0; n < 1_000; n += 1) fake.search.add({ log: `n${n};` })
    const page = await open()
    await row(page, 'n999;').waitFor()
    const list = page.getByTestId('events')
    for (let turn = 0; turn < 40 && (await row(page, 'n0;').count()) === 0; turn += 1) {
      const height = await list.evaluate((element) => {
        element.scrollTo(0, element.scrollHeight)
        return element.scrollHeight
      })
      const grown = (before: number) => document.querySelector('[data-testid=events]')!.scrollHeight > before
      await Promise.race([page.waitForFunction(grown, height), row(page, 'n0;').waitFor()])
      assert.ok((await page.getByTestId('event').count()) <= 500)
    }
    await row(page, 'n0;').waitFor()
    fake.search.add({ log: 'later' })
    await page.getByTestId('fresh').filter({ hasText: '+1 new' }).click()
    await row(page, 'later').waitFor()
  })
})

describe('hostile events', () => {
  const hostile = [
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(2)>',
    '"><svg onload=alert(3)>',
    'javascript:alert(4)',
  ]
  it('stay text everywhere', async () => {
    for (const text of hostile) fake.search.add({ log: text, [text]: text, field: text }, { tag: text })
    const page = await open()
    await row(page, 'onerror').first().waitFor()
    assert.deepEqual((await rowTexts(page)).sort(), [...hostile].sort())
    for (const text of hostile.toReversed()) {
      await page.keyboard.press('j')
      await page.getByTestId('field-row').filter({ hasText: 'log' }).filter({ hasText: text }).first().waitFor()
    }
    await page.getByTestId('field-value').filter({ hasText: 'onerror' }).first().waitFor()
    const foreign = await page.evaluate(
      () => document.querySelectorAll('#app script, #app img, [onload], [onerror]').length,
    )
    assert.equal(foreign, 0)
    assert.deepEqual(complaints, [])
  })
  it('show what cannot be seen as symbols', async () => {
    fake.search.add({ log: 'nul\0 bell\x07 \u202Eright to left', also: 'x\x1b[31my' })
    const page = await open()
    await row(page, 'nul␀ bell␇ ⟨202E⟩right to left').click()
    await page.getByTestId('field-row').filter({ hasText: 'x␛[31my' }).waitFor()
  })
  it('do not break the page by their size', async () => {
    const record = Object.fromEntries(Array.from({ length: 2_000 }, (_, n) => [`k${n}`, n]))
    fake.search.add({ ...record, log: 'big '.repeat(50_000) }, { tag: 'T'.repeat(10_000) })
    fake.search.add({ log: 'after' })
    const page = await open()
    await row(page, 'after').waitFor()
    await row(page, 'big').click()
    await page.getByTestId('detail').waitFor()
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    assert.equal(wide, 0)
    assert.deepEqual(complaints, [])
  })
})

describe('the page', () => {
  it('asks for the token and keeps it for the tab', async () => {
    await admin.close()
    await serve('sesame')
    fake.search.add({ log: 'secret' })
    const page = await open()
    await page.getByLabel('Token').fill('sesame')
    await page.keyboard.press('Enter')
    await row(page, 'secret').waitFor()
    fake.search.add({ log: 'tailed' })
    await row(page, 'tailed').waitFor()
    await page.reload()
    await row(page, 'secret').waitFor()
  })
  it('goes on by itself after the server was away, without a gap', async () => {
    fake.search.add({ log: 'before' })
    const page = await open()
    await row(page, 'before').waitFor()
    const { port } = admin
    await admin.close()
    await page.getByTestId('state').filter({ hasText: 'does not answer' }).waitFor()
    fake.search.add({ log: 'while away' })
    admin = await startAdmin({ listen: { host: '127.0.0.1', port }, token: undefined, consoleDirectory }, fake.sources)
    await row(page, 'while away').waitFor()
    assert.deepEqual(await rowTexts(page), ['while away', 'before'])
  })
  it('fits 360 pixels', async () => {
    fake.search.add({ log: 'x'.repeat(500) }, { tag: 'docker.something.that.is.long' })
    const page = await open()
    await page.setViewportSize({ width: 360, height: 640 })
    await row(page, 'xxx').click()
    await page.getByTestId('detail').waitFor()
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    assert.equal(wide, 0)
  })
})
