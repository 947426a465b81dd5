/** Rotations of every kind, while the input runs and while it does not: each line once, the old ones first. */
import assert from 'node:assert/strict'
import { appendFileSync, copyFileSync, linkSync, mkdirSync, renameSync, truncateSync, unlinkSync } from 'node:fs'
import { describe, test } from 'node:test'
import { TailSite } from './tail-under-test.ts'

/** As logrotate does by default: rename, and create a new one. */
function rotate(site: TailSite, generation: number, newText = ''): void {
  renameSync(site.file('a.log'), site.file(`a.log.${generation}`))
  site.write('a.log', newText)
}

/** As logrotate does with `copytruncate`. */
function copyTruncate(site: TailSite, generation: number): void {
  copyFileSync(site.file('a.log'), site.file(`a.log.${generation}`))
  truncateSync(site.file('a.log'))
}

describe('by rename', () => {
  test('the old file is read to its end, then the new one', async () => {
    const site = new TailSite()
    site.write('a.log', 'one\n')
    await site.start()
    await site.until(1)
    site.append('a.log', 'two\n')
    rotate(site, 1, 'four\n')
    appendFileSync(site.file('a.log.1'), 'three\n')
    assert.deepEqual(await site.settle(4), ['one', 'two', 'three', 'four'])
    await site.untilSo(() => site.stats.files === 1, 'the old file is left')
  })

  test('the old file is read for rotate_wait from its last growth; its last line needs no end', async () => {
    const site = new TailSite()
    site.write('a.log', 'one\n')
    await site.start()
    await site.until(1)
    rotate(site, 1, 'new\n')
    await site.until(2)
    for (const text of ['two\n', 'three\n', 'fo', 'ur']) {
      appendFileSync(site.file('a.log.1'), text)
      await site.clock.move(3_000)
      await site.untilSo(() => site.stats.files === 2, 'the old file is followed')
    }
    const messages = await site.settle(5)
    assert.deepEqual(messages, ['one', 'new', 'two', 'three', 'four'])
    await site.untilSo(() => site.stats.files === 1, 'the old file is left')
    appendFileSync(site.file('a.log.1'), 'too late\n')
    await site.clock.move(10_000)
    assert.equal(site.messages().length, 5)
    assert.equal(site.marks.places.size, 3, 'its mark is kept as long as it is there')
    unlinkSync(site.file('a.log.1'))
    await site.untilSo(() => site.marks.places.size === 2, 'its mark is forgotten')
  })

  test('the mark of a file that is missing for a moment, as while others are renamed, is kept', async () => {
    const site = new TailSite()
    site.write('a.log', 'one\n')
    await site.start()
    await site.until(1)
    rotate(site, 1, 'new\n')
    await site.until(2)
    await site.untilSo(() => site.stats.files === 1, 'the old file is left')
    mkdirSync(site.file('elsewhere'))
    renameSync(site.file('a.log.1'), site.file('elsewhere/a.log.1'))
    for (let looks = 0; looks < 5; looks += 1) await site.clock.move(1_000)
    renameSync(site.file('elsewhere/a.log.1'), site.file('a.log.2'))
    for (let looks = 0; looks < 15; looks += 1) await site.clock.move(1_000)
    assert.equal(site.marks.places.size, 3)
  })

  test('a name that was lost for a while is no new file', async () => {
    const site = new TailSite()
    site.write('a.log', 'one\n')
    await site.start()
    await site.until(1)
    renameSync(site.file('a.log'), site.file('away'))
    await site.untilSo(() => site.stats.files === 0, 'it is left')
    renameSync(site.file('away'), site.file('a.log'))
    site.append('a.log', 'two\n')
    assert.deepEqual(await site.settle(2), ['one', 'two'])
  })

  test('a file that is deleted is read to its end', async () => {
    const site = new TailSite()
    site.write('a.log', 'one\n')
    linkSync(site.file('a.log'), site.file('kept'))
    await site.start()
    await site.until(1)
    unlinkSync(site.file('a.log'))
    appendFileSync(site.file('kept'), 'two\n')
    assert.deepEqual(await site.settle(2), ['one', 'two'])
    await site.untilSo(() => site.stats.files === 0, 'it is left')
  })

  test('a new name that the glob finds too is the same file', async () => {
    const site = new TailSite()
    site.write('a.log', 'one\n')
    const first = await site.start({ path: [site.file('a.log*')] })
    await site.until(1)
    rotate(site, 1, 'two\n')
    await site.settle(2)
    await first.close()
    rotate(site, 2, 'three\n')
    await site.start({ path: [site.file('a.log*')] })
    assert.deepEqual(await site.settle(3), ['one', 'two', 'three'])
  })

  test('while nobody looked: the old file is found by its inode', async () => {
    const site = new TailSite()
    site.write('a.log', 'one\n')
    const first = await site.start()
    await site.until(1)
    await first.close()
    site.append('a.log', 'two\n')
    rotate(site, 1, 'three\n')
    await site.start()
    assert.deepEqual(await site.settle(3), ['one', 'two', 'three'])
    await site.untilSo(() => site.stats.files === 1, 'the old file is left')
  })

  test('more than once while nobody looked: what came and went meanwhile is found too', async () => {
    const site = new TailSite()
    site.write('a.log', 'one\n')
    const first = await site.start()
    await site.until(1)
    await first.close()
    site.append('a.log', 'two\n')
    renameSync(site.file('a.log'), site.file('a.log.2'))
    site.write('a.log.1', 'three\n')
    site.write('a.log.1.gz', 'no\n')
    site.write('a.log.old', 'no\n')
    site.write('a.log', 'four\n')
    const second = await site.start()
    assert.deepEqual(await site.settle(4), ['one', 'two', 'three', 'four'])
    await second.close()
    await site.start()
    assert.deepEqual(await site.settle(4), ['one', 'two', 'three', 'four'])
  })

  test('twice before anybody looks', async () => {
    const site = new TailSite()
    site.write('a.log', 'one\n')
    await site.start()
    await site.until(1)
    renameSync(site.file('a.log'), site.file('a.log.2'))
    site.write('a.log', 'two\n')
    renameSync(site.file('a.log'), site.file('a.log.1'))
    site.write('a.log', 'three\n')
    assert.deepEqual(await site.settle(3), ['one', 'two', 'three'])
  })

  test('many times, with a restart now and then', async () => {
    const site = new TailSite()
    site.write('a.log', '')
    let input = await site.start({ rotate_wait: 300 })
    let line = 0
    for (let generation = 1; generation <= 30; generation += 1) {
      site.append('a.log', `${line++}\n${line++}\n`)
      rotate(site, generation)
      site.append('a.log', `${line++}\n`)
      if (generation % 5 === 0) {
        await input.close()
        input = await site.start({ rotate_wait: 300 })
      }
      await site.until(line)
    }
    assert.deepEqual(
      (await site.settle(line)).map(Number).sort((a, b) => a - b),
      [...Array(line).keys()],
    )
  })
})

describe('by copytruncate', () => {
  test('what was not read of the old content is read from the copy', async () => {
    const site = new TailSite()
    site.write('a.log', 'one\n')
    const hold = Promise.withResolvers<void>()
    let emits = 0
    site.gate = () => {
      emits += 1
      return hold.promise
    }
    await site.start()
    await site.untilSo(() => emits === 1, 'the first line is read')
    site.append('a.log', 'two\nthree without end')
    copyTruncate(site, 1)
    site.append('a.log', 'four\n')
    hold.resolve()
    assert.deepEqual(await site.settle(4), ['one', 'two', 'three without end', 'four'])
  })

  test('while nobody looked, to a content that is longer than the old', async () => {
    const site = new TailSite()
    site.write('a.log', 'one\n')
    const first = await site.start()
    await site.until(1)
    await first.close()
    site.append('a.log', 'two\n')
    copyTruncate(site, 1)
    site.append('a.log', 'three is longer than all that was before\n')
    await site.start()
    assert.deepEqual(await site.settle(3), ['one', 'two', 'three is longer than all that was before'])
  })

  test('more than once while nobody looked: all copies are read', async () => {
    const site = new TailSite()
    site.write('a.log', 'one\n')
    const first = await site.start()
    await site.until(1)
    await first.close()
    site.append('a.log', 'two\n')
    copyTruncate(site, 3)
    site.append('a.log', 'three\n')
    copyTruncate(site, 2)
    site.append('a.log', 'four, with more bytes than all before it had\n')
    copyTruncate(site, 1)
    site.append('a.log', 'five, with more bytes than all before it had, too\n')
    await site.start()
    const messages = await site.settle(5)
    assert.deepEqual(
      messages.map((message) => message.slice(0, 4)),
      ['one', 'two', 'thre', 'four', 'five'],
    )
  })

  test('a restart in the middle of the copy goes on in it', async () => {
    const site = new TailSite()
    const old = Array.from({ length: 60_000 }, (_, index) => `old line number ${index}`)
    site.write('a.log', 'first\n')
    const first = await site.start()
    await site.until(1)
    await first.close()
    site.append('a.log', `${old.join('\n')}\n`)
    copyTruncate(site, 1)
    site.append('a.log', 'new\n')
    let streams = 0
    const refuse = Promise.withResolvers<void>()
    site.gate = () => (++streams > 2 ? refuse.promise : Promise.resolve())
    const second = await site.start()
    await site.untilSo(() => streams > 2, 'in the middle of the copy')
    refuse.reject(new Error('the process ends here'))
    await second.close()
    assert.ok(site.took.length > 1 && site.took.length < old.length)
    site.gate = async () => {}
    await site.start()
    const messages = await site.settle(old.length + 2)
    assert.ok(messages.join('\n') === ['first', ...old, 'new'].join('\n'), `${messages.length} messages`)
  })

  test('many times', async () => {
    const site = new TailSite()
    site.write('a.log', '')
    await site.start()
    let line = 0
    for (let generation = 1; generation <= 30; generation += 1) {
      site.append('a.log', `${line++}\n`)
      // A content of which nothing was read before it was truncated is not known to have been.
      await site.until(line)
      site.append('a.log', `${line++}\n${line++}\n`)
      copyTruncate(site, generation)
      site.append('a.log', `${line++}\n`)
      if (generation % 3 === 0) await site.until(line)
    }
    assert.deepEqual(
      await site.settle(line),
      Array.from({ length: line }, (_, index) => String(index)),
    )
  })

  test('into another folder, where the copy is not found: what is left is read, nothing twice', async () => {
    const site = new TailSite()
    site.write('a.log', 'one\n')
    await site.start()
    await site.until(1)
    mkdirSync(site.file('old'))
    copyFileSync(site.file('a.log'), site.file('old/a.log.1'))
    truncateSync(site.file('a.log'))
    site.append('a.log', 'two\n')
    assert.deepEqual(await site.settle(2), ['one', 'two'])
  })
})
