import assert from 'node:assert/strict'
import { appendFile, copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { readDeadLetters, readLetterFile } from '../../server/delivery/dead-letter-files.ts'
import type { DeadLetter } from '../../server/delivery/dead-letter-format.ts'
import { openDeadLetters } from '../../server/delivery/dead-letters.ts'
import { findLetters, summarise } from '../../server/delivery/read-letters.ts'
import { createFakeLogger } from './fakes.ts'

const letter = (n: number, reason = 'mapping'): DeadLetter => ({
  position: n,
  id: `AAAAAAAAAAAAAAAA.${n}`,
  tag: 'docker.web',
  receivedMs: 1_000,
  refusedMs: 2_000 + n,
  attempts: 1,
  reason,
  detail: 'no',
  entry: Uint8Array.of(0x92, n, 0x80),
})
const FIRST = '00000001.dlq'
const GONE = '00000001.gone'

async function scratch(t: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'logboom-dead-letters-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return directory
}

const opened = (directory: string, options = {}) =>
  openDeadLetters(directory, { log: createFakeLogger(), bytesMax: 2 ** 20, ...options })
const numbers = async (directory: string) =>
  (await Array.fromAsync(readDeadLetters(directory))).map(({ position }) => position)
const placesOf = async (directory: string, ...wanted: number[]) =>
  (await findLetters(directory, { limit: 1_000, bytesMax: 2 ** 20 })).letters
    .filter(({ letter: { position } }) => wanted.includes(position))
    .map(({ place }) => place)

test('what is removed is gone at once and after the next opening; the others stay as they were', async (t) => {
  const directory = await scratch(t)
  const store = await opened(directory)
  await store.append([0, 1, 2, 3].map((n) => letter(n)))
  await store.replace(await placesOf(directory, 1), [])
  assert.equal(store.count(), 3)
  await store.append([letter(4)])
  assert.deepEqual(await numbers(directory), [0, 2, 3, 4])
  await store.close()
  const again = await opened(directory)
  assert.equal(again.count(), 4)
  await again.replace(await placesOf(directory, 0), [])
  await again.close()
  assert.deepEqual(
    await Array.fromAsync(readDeadLetters(directory)),
    [2, 3, 4].map((n) => letter(n)),
  )
})

test('what comes in the place of others is kept first, also where the store is full', async (t) => {
  const directory = await scratch(t)
  const store = await opened(directory, { bytesMax: 250 })
  await store.append([letter(0), letter(1)])
  await assert.rejects(store.append([letter(2)]))
  await store.replace(await placesOf(directory, 0), [{ ...letter(0), attempts: 2 }])
  assert.deepEqual(
    (await Array.fromAsync(readDeadLetters(directory))).map(({ position, attempts }) => [position, attempts]),
    [
      [1, 1],
      [0, 2],
    ],
  )
  await store.close()
})

test('a file without letters is taken away, and one that is mostly removed is written anew', async (t) => {
  const directory = await scratch(t)
  const store = await opened(directory, { fileBytes: 400 })
  for (let n = 0; n < 9; n++) await store.append([letter(n)])
  const names = (await readdir(directory)).filter((name) => name.endsWith('.dlq'))
  const held = (await readLetterFile(directory, FIRST)).map(({ letter: { position } }) => position)
  const bytes = (await readFile(path.join(directory, FIRST))).byteLength
  await store.replace(await placesOf(directory, ...held.slice(1)), [])
  assert.ok((await readFile(path.join(directory, FIRST))).byteLength < bytes / 2)
  assert.deepEqual((await readdir(directory)).sort(), names, 'and no file of removals')
  assert.deepEqual((await numbers(directory))[0], held[0])
  await store.replace(await placesOf(directory, held[0]!), [])
  assert.deepEqual((await readdir(directory)).sort(), names.slice(1))
  assert.equal(store.count(), 9 - held.length)
  await store.close()
})

test('removals of another file, torn ones and garbage remove nothing', async (t) => {
  const [directory, other] = [await scratch(t), await scratch(t)]
  for (const each of [directory, other]) {
    const store = await opened(each)
    await store.append([0, 1, 2].map((n) => letter(n)))
    await store.close()
  }
  const foreign = await opened(other)
  await foreign.replace(await placesOf(other, 1), [])
  await foreign.close()
  const removals = await readFile(path.join(other, GONE))
  await copyFile(path.join(other, GONE), path.join(directory, GONE))
  assert.deepEqual(await numbers(directory), [0, 1, 2], 'of another file')
  for (let length = 0; length < removals.byteLength; length++) {
    await writeFile(path.join(other, GONE), removals.subarray(0, length))
    assert.deepEqual(await numbers(other), [0, 1, 2], `cut at ${length}`)
  }
  const store = await opened(other)
  assert.equal(store.count(), 3)
  await store.replace(await placesOf(other, 2), [])
  await appendFile(path.join(other, GONE), Buffer.alloc(13, 0xff))
  await store.replace(await placesOf(other, 0), [])
  await store.close()
  assert.deepEqual(await numbers(other), [1], 'and what comes after a torn one counts')
})

test('a file whose letters are all removed is taken away when the store is opened', async (t) => {
  const directory = await scratch(t)
  const store = await opened(directory)
  await store.append([letter(0)])
  const [whole, places] = [await readFile(path.join(directory, FIRST)), await placesOf(directory, 0)]
  await store.replace(places, [])
  const removals = await readFile(path.join(directory, GONE))
  await store.close()
  assert.deepEqual(await readdir(directory), [])
  // As a crash before the deletion would leave it, or a rewriting.
  await writeFile(path.join(directory, FIRST), whole)
  await writeFile(path.join(directory, GONE), removals)
  await writeFile(path.join(directory, `${FIRST}.draft`), 'half')
  assert.equal((await opened(directory)).count(), 0)
  assert.deepEqual(await readdir(directory), [])
})

test('letters are listed by cause, and found page by page', async (t) => {
  const directory = await scratch(t)
  const store = await opened(directory, { fileBytes: 300 })
  for (let n = 0; n < 10; n++) await store.append([letter(n, n % 3 === 0 ? 'too_large' : 'mapping')])
  await store.close()
  assert.deepEqual(await summarise('search', directory), {
    output: 'search',
    letters: 10,
    bytes: 30,
    causes: [
      { cause: 'mapping', letters: 6, oldestMs: 2_001, newestMs: 2_008 },
      { cause: 'too_large', letters: 4, oldestMs: 2_000, newestMs: 2_009 },
    ],
  })
  const seen: number[][] = []
  for (let from: string | undefined; ; ) {
    const found = await findLetters(directory, { cause: 'mapping', limit: 4, bytesMax: 100, ...(from && { from }) })
    seen.push(found.letters.map(({ letter: { position } }) => position))
    from = found.next
    if (from === undefined) break
  }
  assert.deepEqual(seen, [
    [1, 2, 4, 5],
    [7, 8],
  ])
  const small = await findLetters(directory, { limit: 4, bytesMax: 5 })
  assert.equal(small.letters.length, 1, 'a page is bounded in bytes, and holds one letter at least')
})
