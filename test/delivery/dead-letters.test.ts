import assert from 'node:assert/strict'
import { appendFile, copyFile, mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { readDeadLetters } from '../../server/delivery/dead-letter-files.ts'
import {
  createFileHeader,
  type DeadLetter,
  encodeDeadLetter,
  saltOf,
} from '../../server/delivery/dead-letter-format.ts'
import { DeadLettersFullError, openDeadLetters } from '../../server/delivery/dead-letters.ts'
import { createFakeLogger } from './fakes.ts'

const letter = (n: number, text = 'läßt sich nicht lesen'): DeadLetter => ({
  position: 2 ** 40 + n,
  id: `AAAAAAAAAAAAAAAA.${n}`,
  tag: 'docker.web',
  receivedMs: 1_790_000_000_000.5,
  refusedMs: 1_790_000_000_123,
  attempts: n + 1,
  reason: 'mapping',
  detail: text,
  entry: Uint8Array.of(0x92, n, 0x80),
})
const FIRST = '00000001.dlq'

async function scratch(t: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'logboom-dead-letters-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return path.join(directory, 'search')
}

const read = (directory: string) => Array.fromAsync(readDeadLetters(directory))
const opened = (directory: string, options = {}) =>
  openDeadLetters(directory, { log: createFakeLogger(), bytesMax: 2 ** 20, ...options })

async function keep(directory: string, ...letters: DeadLetter[]): Promise<void> {
  const store = await opened(directory)
  await store.append(letters)
  await store.close()
}

test('what is kept is read as it was, in order, over several openings', async (t) => {
  const directory = await scratch(t)
  await keep(directory, letter(0), letter(1))
  const store = await opened(directory)
  assert.equal(store.count(), 2)
  await Promise.all([store.append([letter(2)]), store.append([letter(3), letter(4)]), store.append([])])
  assert.equal(store.count(), 5)
  assert.deepEqual(
    await read(directory),
    [0, 1, 2, 3, 4].map((n) => letter(n)),
    'readable while it is open',
  )
  await store.close()
})

test('files and folder are for the owner only', async (t) => {
  const directory = await scratch(t)
  await keep(directory, letter(0))
  assert.equal((await stat(directory)).mode & 0o777, 0o700)
  assert.equal((await stat(path.join(directory, FIRST))).mode & 0o777, 0o600)
})

test('a file cut at any length gives the letters that are whole, and can be written to again', async (t) => {
  const directory = await scratch(t)
  await keep(directory, letter(0), letter(1), letter(2))
  const whole = await readFile(path.join(directory, FIRST))
  const size = encodeDeadLetter(letter(0), 0).byteLength
  const header = createFileHeader().byteLength
  for (let length = 0; length <= whole.byteLength; length++) {
    await writeFile(path.join(directory, FIRST), whole.subarray(0, length))
    const expected = length < header ? 0 : Math.floor((length - header) / size)
    const store = await opened(directory)
    assert.equal(store.count(), expected, `cut at ${length}`)
    await store.close()
    assert.deepEqual(
      await read(directory),
      [0, 1, 2].slice(0, expected).map((n) => letter(n)),
      `cut at ${length}`,
    )
    const left = (await readFile(path.join(directory, FIRST))).byteLength
    assert.equal(left, length < header ? length : header + expected * size, `cut at ${length}`)
  }
})

test('a flipped bit costs the letter it stands in, or none where the file is only begun', async (t) => {
  const directory = await scratch(t)
  await keep(directory, letter(0), letter(1), letter(2))
  const whole = await readFile(path.join(directory, FIRST))
  const size = encodeDeadLetter(letter(0), 0).byteLength
  const header = createFileHeader().byteLength
  for (let at = header; at < whole.byteLength; at++) {
    const flipped = Buffer.from(whole)
    flipped[at]! ^= 1 << (at % 8)
    await writeFile(path.join(directory, FIRST), flipped)
    await (await opened(directory)).close()
    const hit = Math.floor((at - header) / size)
    const expected = [0, 1, 2].filter((n) => n !== hit).map((n) => letter(n))
    assert.deepEqual(await read(directory), expected, `bit flipped at ${at}`)
  }
})

test('garbage and zeros behind the last letter are cut', async (t) => {
  for (const tail of [
    Buffer.alloc(5_000),
    Buffer.from('DL\n\x1a'.repeat(500)),
    Buffer.from([0x1a, 0x0a, 0x44, 0x4c]),
  ]) {
    const directory = await scratch(t)
    await keep(directory, letter(0))
    const before = (await stat(path.join(directory, FIRST))).size
    await appendFile(path.join(directory, FIRST), tail)
    await (await opened(directory)).close()
    assert.equal((await stat(path.join(directory, FIRST))).size, before)
    assert.deepEqual(await read(directory), [letter(0)])
  }
})

test('an event that holds the bytes of a letter is never taken for one', async (t) => {
  const directory = await scratch(t)
  const fake = encodeDeadLetter(letter(9), 0)
  await keep(directory, { ...letter(0), entry: fake })
  const whole = await readFile(path.join(directory, FIRST))
  await writeFile(path.join(directory, FIRST), whole.subarray(0, -1))
  assert.deepEqual(await read(directory), [])
})

test('a file of another version stays as it is, and new letters go to the next', async (t) => {
  const directory = await scratch(t)
  await mkdir(directory)
  const foreign = Buffer.from('LOGBDEAD\x02\x00 whatever a later version may write')
  await writeFile(path.join(directory, FIRST), foreign)
  const log = createFakeLogger()
  const store = await openDeadLetters(directory, { log, bytesMax: 2 ** 20 })
  await store.append([letter(0)])
  await store.close()
  assert.deepEqual(await readFile(path.join(directory, FIRST)), foreign)
  assert.deepEqual(await readdir(directory), [FIRST, '00000002.dlq'])
  assert.deepEqual(await read(directory), [letter(0)])
  assert.equal(log.lines[0]?.level, 'warn')
})

test('files grow to a size and are followed by the next', async (t) => {
  const directory = await scratch(t)
  const store = await opened(directory, { fileBytes: 200 })
  for (let n = 0; n < 6; n++) await store.append([letter(n)])
  await store.close()
  assert.equal((await readdir(directory)).length, 3)
  assert.deepEqual(
    await read(directory),
    [0, 1, 2, 3, 4, 5].map((n) => letter(n)),
  )
})

test('when it is full it refuses, keeps what it has, and goes on once files are deleted', async (t) => {
  const directory = await scratch(t)
  const store = await opened(directory, { bytesMax: 500, fileBytes: 200 })
  await store.append([letter(0), letter(1)])
  await store.append([letter(2)])
  await assert.rejects(store.append([letter(3), letter(4)]), DeadLettersFullError)
  assert.equal(store.count(), 3)
  await rm(path.join(directory, FIRST))
  await store.append([letter(3), letter(4)])
  assert.deepEqual(
    await read(directory),
    [2, 3, 4].map((n) => letter(n)),
  )
  await store.close()
})

test('the file that is open may be deleted too', async (t) => {
  const directory = await scratch(t)
  const store = await opened(directory)
  await store.append([letter(0)])
  await rm(path.join(directory, FIRST))
  await store.append([letter(1)])
  assert.deepEqual(await read(directory), [letter(1)])
  assert.equal(store.count(), 1)
  await store.close()
})

test('what a failed fdatasync was to keep is not kept, and another file is begun', async (t) => {
  const directory = await scratch(t)
  const store = await opened(directory)
  await store.append([letter(0)])
  const probe = await open(path.join(directory, FIRST), 'r')
  const broken = t.mock.method(Object.getPrototypeOf(probe), 'datasync', async () => {
    throw new Error('EIO')
  })
  await probe.close()
  await assert.rejects(store.append([letter(1)]), /EIO/)
  await assert.rejects(store.append([letter(1)]), /EIO/)
  broken.mock.restore()
  await store.append([letter(1)])
  await store.close()
  assert.deepEqual(await read(directory), [letter(0), letter(1)])
  assert.equal((await readdir(directory)).length, 2, 'no empty files are left')
})

test('a folder that is gone is an error each time, and no crash', async (t) => {
  const directory = await scratch(t)
  const store = await opened(directory)
  await rm(directory, { recursive: true })
  await assert.rejects(store.append([letter(0)]), /ENOENT/)
  await mkdir(directory)
  await store.append([letter(0)])
  await store.close()
  assert.deepEqual(await read(directory), [letter(0)])
})

test('texts are cut at 4 KiB, the event never is', async (t) => {
  const directory = await scratch(t)
  const large = { ...letter(0, 'x'.repeat(70_000)), entry: new Uint8Array(200_000).fill(7) }
  await keep(directory, large)
  assert.deepEqual(await read(directory), [{ ...large, detail: 'x'.repeat(4_096) }])
})

test('the format of version 1 is read as it was written', async (t) => {
  const golden = new URL('../golden/delivery/dead-letters-v1.dlq', import.meta.url)
  const directory = await scratch(t)
  await mkdir(directory)
  await copyFile(golden, path.join(directory, FIRST))
  assert.deepEqual(await read(directory), [letter(0), letter(1)])
  const bytes = await readFile(golden)
  const salt = saltOf(bytes)!
  const records = [letter(0), letter(1)].map((it) => encodeDeadLetter(it, salt))
  assert.deepEqual(bytes.subarray(20), Buffer.concat(records))
})
