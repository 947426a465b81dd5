/** The cursor on disk: damage costs duplicates, never events. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { CursorFile, readCursor } from '../../buffer/cursor-file.ts'
import { DoneRanges } from '../../buffer/done-ranges.ts'
import { nodeFileSystem as files } from '../../buffer/file-system.ts'
import { temporaryFolder } from './harness.ts'

const SLOT_BYTES = 4_096

/** Stores cursors 10, 20, … and returns the file. */
async function stored(folder: string, records: number): Promise<string> {
  const name = path.join(folder, 'out.cursor')
  const file = new CursorFile(files, name, await readCursor(files, name))
  for (let record = 1; record <= records; record++) await file.store(new DoneRanges(record * 10))
  await file.close()
  return name
}

async function cursorIn(name: string): Promise<number | undefined> {
  return (await readCursor(files, name))?.cursor
}

test('the newest record counts, however many came before', async () => {
  using folder = temporaryFolder()
  for (const records of [1, 3, 4, 9]) assert.equal(await cursorIn(await stored(folder.path, records)), records * 10)
})

test('the file does not grow', async () => {
  using folder = temporaryFolder()
  assert.equal(statSync(await stored(folder.path, 50)).size, 4 * SLOT_BYTES)
})

test('a cursor that goes back (replay) counts too', async () => {
  using folder = temporaryFolder()
  const name = await stored(folder.path, 5)
  const file = new CursorFile(files, name, await readCursor(files, name))
  await file.store(new DoneRanges(3))
  await file.close()
  assert.equal(await cursorIn(name), 3)
})

test('what was done out of order is kept', async () => {
  using folder = temporaryFolder()
  const name = path.join(folder.path, 'out.cursor')
  const ranges = Array.from({ length: 300 }, (_, index) => ({ from: 100 + index * 10, to: 105 + index * 10 }))
  const file = new CursorFile(files, name, undefined)
  await file.store(new DoneRanges(50, ranges))
  await file.close()
  const record = await readCursor(files, name)
  assert.equal(record?.cursor, 50)
  assert.deepEqual(record?.ranges, ranges.slice(0, 254))
})

const damages: { title: string; damage: (name: string) => void; cursor: number | undefined }[] = [
  { title: 'no file', damage: (name) => rmSync(name), cursor: undefined },
  { title: 'an empty file', damage: (name) => truncateSync(name, 0), cursor: undefined },
  { title: 'garbage', damage: (name) => writeFileSync(name, Buffer.alloc(20_000, 7)), cursor: undefined },
  { title: 'the newest record torn', damage: (name) => spoil(name, 50), cursor: 40 },
  { title: 'an older record torn', damage: (name) => spoil(name, 40), cursor: 50 },
  { title: 'cut in the middle', damage: (name) => truncateSync(name, 2 * SLOT_BYTES + 5), cursor: 50 },
]
for (const { title, damage, cursor } of damages) {
  test(`${title}: the cursor is ${cursor}`, async () => {
    using folder = temporaryFolder()
    const name = await stored(folder.path, 5)
    damage(name)
    assert.equal(await cursorIn(name), cursor)
  })
}

/** Flips a bit in the record of this cursor. */
function spoil(name: string, cursor: number): void {
  const bytes = readFileSync(name)
  for (let at = 0; at < bytes.length; at += SLOT_BYTES) {
    if (bytes.readUInt32LE(at + 16) === cursor) bytes[at + 17]! ^= 1
  }
  writeFileSync(name, bytes)
}

test('names of outputs cannot leave the folder', async () => {
  const { cursorFileName } = await import('../../buffer/cursor-file.ts')
  assert.equal(cursorFileName('/b', '../../etc/x'), '/b/cursors/..%2F..%2Fetc%2Fx.cursor')
})

test('ranges that are done in any order end as one cursor', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], { minLength: 1 }), (order) => {
      const done = new DoneRanges(0)
      for (const at of order) done.add(at * 5, at * 5 + 5)
      const missing = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].find((at) => !order.includes(at))!
      assert.equal(done.cursor, missing * 5)
      assert.equal(done.cursor + done.eventsBeyond, order.length * 5)
      for (let at = 0; at < 10; at++) assert.equal(done.gaps(at * 5, at * 5 + 5).length === 0, order.includes(at))
    }),
  )
})

test('a folder that is not there has no cursors', async () => {
  using folder = temporaryFolder()
  mkdirSync(path.join(folder.path, 'cursors'))
  assert.equal(await readCursor(files, path.join(folder.path, 'cursors', 'none.cursor')), undefined)
})
