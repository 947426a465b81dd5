/** Parts on disk: what a cut manifest, a full disk and a start make of them. */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, test } from 'node:test'
import { encodeRounds } from '../../../outputs/s3/lines.ts'
import { OPEN_PARTS_MAX, Staging } from '../../../outputs/s3/staging.ts'
import type { Batch } from '../../../server/core/event.ts'
import { armFailpoints } from '../../../server/core/failpoints.ts'
import { makeBatch } from '../../conformance/make-batch.ts'
import {
  lineCursor,
  numbersIn,
  openWriter,
  type Site,
  siteIn,
  stagingOptions,
  storedNumbers,
  temporarySite,
} from './folder-store.ts'

const never = new AbortController().signal
afterEach(() => armFailpoints(''))

/** Events numbered as their positions, each tag in its turn. */
function numbered(from: number, count: number, tags: readonly string[] = ['a', 'b']): Batch {
  return makeBatch(
    Array.from({ length: count }, (_, index) => ({
      tag: tags[index % tags.length]!,
      position: from + index,
      events: [{ record: { n: from + index } }],
    })),
  )
}

async function stage(staging: Staging, batch: Batch): Promise<void> {
  for (const round of encodeRounds(lineCursor(), batch, undefined)) await staging.append(round)
}

const upTo = (end: number) => Array.from({ length: end }, (_, n) => n)
/** Numbers of the positions that a start found. */
const foundIn = ({ found }: Staging) =>
  found.flatMap((from, at) => (at % 2 === 0 ? upTo(found[at + 1]! - from).map((n) => from + n) : []))

/** What the parts hold, by what the manifest says of them: all are sealed for it. */
async function linesIn(staging: Staging): Promise<number[]> {
  await staging.sealDue(Number.POSITIVE_INFINITY)
  const texts = staging.sealed.map((part) => readFileSync(staging.fileOf(part)).toString('utf8', 0, part.bytes))
  return numbersIn(texts.join(''))
}

/** The files of a staging folder that has had five appends, and where the manifest's lines end. */
async function stagedSite(site: Site): Promise<{ manifest: Buffer; ends: number[] }> {
  const staging = await Staging.open(stagingOptions(site, { compression: 'none', maxBytes: 500 }))
  for (let n = 0; n < 5; n += 1) await stage(staging, numbered(n * 4, 4))
  await staging.close()
  const manifest = readFileSync(path.join(site.staging, 'manifest'))
  const ends = Array.from(manifest.toString('latin1').matchAll(/\n/g), ({ index }) => index + 1)
  return { manifest, ends }
}

test('wherever the manifest is cut, it tells of whole appends alone, and the parts hold just those', async (t) => {
  const site = temporarySite(t)
  const { ends } = await stagedSite(site)
  const seen = new Set<number>()
  const cuts = [0, ...ends.flatMap((end) => [end - 60, end - 1, end])]
  for (const cut of cuts) {
    const copy = siteIn(path.join(site.staging, '..', `cut-${cut}`))
    mkdirSync(path.dirname(copy.staging))
    cpSync(site.staging, copy.staging, { recursive: true })
    truncateSync(path.join(copy.staging, 'manifest'), cut)
    const staging = await Staging.open(stagingOptions(copy, { compression: 'none' }))
    const found = foundIn(staging)
    assert.deepEqual(found, upTo(found.length), `cut at ${cut}`)
    assert.deepEqual(await linesIn(staging), found, `cut at ${cut}`)
    assert.deepEqual(staging.damage, [])
    await staging.close()
    seen.add(found.length)
  }
  assert.deepEqual([...seen], [0, 4, 8, 12, 16, 20])
})

test('a damaged line in the middle is told of, and what stands behind it counts', async (t) => {
  const site = temporarySite(t)
  const { manifest, ends } = await stagedSite(site)
  manifest[ends[1]! + 20]! ^= 1
  writeFileSync(path.join(site.staging, 'manifest'), manifest)
  const staging = await Staging.open(stagingOptions(site, { compression: 'none' }))
  assert.deepEqual(staging.damage, ['1 lines of the manifest'])
  assert.deepEqual(await linesIn(staging), upTo(20))
  await staging.close()
})

test('a part that has lost bytes is told of, and the others are whole', async (t) => {
  const site = temporarySite(t)
  await stagedSite(site)
  const [first] = readdirSync(site.staging).filter((name) => name.startsWith('part-'))
  writeFileSync(path.join(site.staging, first!), '')
  const staging = await Staging.open(stagingOptions(site, { compression: 'none' }))
  assert.match(staging.damage.join(), /part-\d+ has 0 bytes of \d+/)
  assert.ok((await linesIn(staging)).length > 0)
  await staging.close()
})

for (const name of ['s3.staging.before-manifest', 's3.manifest.after-write']) {
  test(`a disk that fails at ${name} has taken nothing, and what comes then is stored once`, async (t) => {
    const site = temporarySite(t)
    const writer = await openWriter(site, { flushAtClose: true, options: { maxBytes: 1e6 } })
    await writer.write(numbered(0, 10), never)
    armFailpoints(`${name}=throw@1`)
    await assert.rejects(writer.write(numbered(10, 10, ['a', 'c']), never), {
      name: 'OutputError',
      fault: 'retry',
      message: `cannot stage in ${site.staging}: failpoint ${name}`,
    })
    await writer.write(numbered(10, 25, ['c', 'a']), never)
    await writer.close()
    assert.deepEqual(storedNumbers(site), upTo(35))
    assert.deepEqual(readdirSync(site.staging), ['manifest'])
  })
}

test('after two failures in a row a start finds what was promised and nothing else', async (t) => {
  const site = temporarySite(t)
  const staging = await Staging.open(stagingOptions(site, { compression: 'none', maxBytes: 1e6 }))
  await stage(staging, numbered(0, 10))
  armFailpoints('s3.manifest.after-write=throw@1')
  await assert.rejects(stage(staging, numbered(10, 10, ['a', 'c'])))
  armFailpoints('s3.staging.before-manifest=throw@1')
  await assert.rejects(stage(staging, numbered(10, 4, ['c', 'a'])))
  // As a crash would leave it: nothing is closed.
  const next = await Staging.open(stagingOptions(site, { compression: 'none', maxBytes: 1e6 }))
  assert.deepEqual(next.damage, [])
  assert.deepEqual(foundIn(next), upTo(10))
  assert.deepEqual(await linesIn(next), upTo(10))
  await next.close()
  await staging.close()
})

test('what a start reads again is passed over, cut into other batches, and what is new is staged', async (t) => {
  const site = temporarySite(t)
  const first = await openWriter(site, { flushAtClose: false })
  await first.write(numbered(0, 20), never)
  await first.close()
  const second = await openWriter(site)
  await second.write(numbered(5, 7), never)
  await second.write(numbered(12, 20), never)
  await second.close()
  assert.deepEqual(storedNumbers(site), upTo(32))
})

test('a replay of a running output is staged again', async (t) => {
  const site = temporarySite(t)
  const writer = await openWriter(site)
  await writer.write(numbered(0, 20), never)
  await writer.write(numbered(15, 5), never)
  await writer.close()
  assert.deepEqual(
    storedNumbers(site),
    [...upTo(20), 15, 16, 17, 18, 19].sort((a, b) => a - b),
  )
})

test('however many tags there are, the open parts are bounded and nothing is lost', async (t) => {
  const site = temporarySite(t)
  const staging = await Staging.open(stagingOptions(site, { compression: 'none' }))
  const tags = Array.from({ length: 400 }, (_, n) => `t${n}`)
  await stage(staging, numbered(0, 400, tags))
  assert.equal(staging.size.parts - staging.sealed.length, OPEN_PARTS_MAX)
  await stage(staging, numbered(400, 400, tags))
  assert.equal(staging.size.parts - staging.sealed.length, OPEN_PARTS_MAX)
  assert.deepEqual(await linesIn(staging), upTo(800))
  await staging.close()
})

test('parts of another compression are finished as they are', async (t) => {
  const site = temporarySite(t)
  const before = await Staging.open(stagingOptions(site, { compression: 'none' }))
  await stage(before, numbered(0, 2, ['a']))
  await before.close()
  const after = await Staging.open(stagingOptions(site, { compression: 'zstd' }))
  await stage(after, numbered(2, 2, ['a']))
  await after.sealDue(Number.POSITIVE_INFINITY)
  assert.deepEqual(
    after.sealed.map(({ compression, events }) => [compression, events]),
    [
      ['none', 2],
      ['zstd', 2],
    ],
  )
  await after.close()
})
