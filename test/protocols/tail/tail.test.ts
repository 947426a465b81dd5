/** The input on real files: what is followed, how far it is read, and what a restart finds again. */
import assert from 'node:assert/strict'
import { mkdirSync, openSync, renameSync, symlinkSync, truncateSync, unlinkSync, writeSync } from 'node:fs'
import { describe, test } from 'node:test'
import { LogboomError } from '../../../server/core/errors.ts'
import { TailSite } from './tail-under-test.ts'

describe('following', () => {
  test('lines that are there, and lines that come, in pieces too', async () => {
    const site = new TailSite()
    site.write('a.log', 'one\ntwo\nth')
    await site.start()
    assert.deepEqual(await site.until(2), ['one', 'two'])
    site.append('a.log', 'ree\nfo')
    await site.until(3)
    site.append('a.log', 'ur\n')
    assert.deepEqual(await site.until(4), ['one', 'two', 'three', 'four'])
    assert.equal(site.stats.events, 4)
    assert.equal(site.stats.bytes, 19)
  })

  test('files that come later, in folders that come later, but not those excluded', async () => {
    const site = new TailSite()
    await site.start({ path: [site.file('**/*.log')], exclude_path: [site.file('no/**')] })
    for (const folder of ['no', 'sub']) mkdirSync(site.file(folder))
    site.write('no/a.log', 'no\n')
    site.write('sub/a.log', 'in sub\n')
    site.write('b.log', 'b\n')
    site.write('b.txt', 'txt\n')
    assert.deepEqual((await site.settle(2)).sort(), ['b', 'in sub'])
    assert.equal(site.stats.files, 2)
  })

  test("the tag's star becomes the path with dots, path_key the path", async () => {
    const site = new TailSite()
    site.write('a.log', 'x\n')
    await site.start({ tag: 'a.*.z', path_key: 'file' })
    await site.until(1)
    const dotted = site.file('a.log').slice(1).replaceAll('/', '.')
    assert.deepEqual(site.took, [{ tag: `a.${dotted}.z`, record: { message: 'x', file: site.file('a.log') } }])
  })

  test('a link is followed to its file', async () => {
    const site = new TailSite()
    mkdirSync(site.file('pods'))
    site.write('pods/1.txt', 'one\n')
    symlinkSync(site.file('pods/1.txt'), site.file('a.log'))
    await site.start()
    await site.until(1)
    site.append('pods/1.txt', 'two\n')
    assert.deepEqual(await site.until(2), ['one', 'two'])
    // The container's file is rotated: the link then leads to the new one.
    renameSync(site.file('pods/1.txt'), site.file('pods/1.txt.1'))
    site.append('pods/1.txt.1', 'three\n')
    site.write('pods/1.txt', 'four\n')
    assert.deepEqual(await site.settle(4), ['one', 'two', 'three', 'four'])
  })

  test('of two names of one file one is followed', async () => {
    const site = new TailSite()
    site.write('a.log', 'x\n')
    symlinkSync(site.file('a.log'), site.file('b.log'))
    await site.start()
    assert.deepEqual(await site.settle(1), ['x'])
  })

  test('more files than may be followed are named, and taken when others are gone', async () => {
    const site = new TailSite()
    site.write('a.log', 'a\n')
    site.write('b.log', 'b\n')
    await site.start({ file_limit: 1 })
    assert.deepEqual(await site.settle(1), ['a'])
    assert.match(site.said.join('\n'), /b\.log is not followed: 1 files are/)
    unlinkSync(site.file('a.log'))
    assert.deepEqual(await site.settle(2), ['a', 'b'])
  })

  test('positions beyond 2^31', async () => {
    const site = new TailSite()
    const offset = 2 ** 32 + 5
    const file = openSync(site.file('a.log'), 'w')
    writeSync(file, 'old\n', offset - 4)
    await site.start({ read_from_head: false })
    writeSync(file, 'new\n', offset)
    assert.deepEqual(await site.until(1), ['new'])
    assert.match([...site.marks.places.values()].join(), new RegExp(`^${offset + 4} |yes`))
  })

  test('a line longer than a block, and more lines than a block', async () => {
    const site = new TailSite()
    const long = 'x'.repeat(700_000)
    const many = Array.from({ length: 200_000 }, (_, index) => `line ${index}`)
    site.write('a.log', `${long}\n${many.join('\n')}\n${long}${long}\n`)
    await site.start()
    const messages = await site.until(200_003)
    assert.equal(messages[0], long)
    assert.deepEqual(messages.slice(1, 200_001), many)
    assert.deepEqual(
      messages.slice(200_001).map(({ length }) => length),
      [1024 * 1024, 1_400_000 - 1024 * 1024],
    )
  })
})

describe('where reading begins', () => {
  test('at the end of files that are there at the very first start, unless told otherwise', async () => {
    const site = new TailSite()
    site.write('a.log', 'old\n')
    const first = await site.start({ read_from_head: false })
    site.write('b.log', 'later\n')
    await site.until(1)
    await first.close()
    site.append('a.log', 'while away\n')
    site.write('c.log', 'new while away\n')
    await site.start({ read_from_head: false })
    assert.deepEqual((await site.settle(3)).sort(), ['later', 'new while away', 'while away'])
  })

  test('a restart goes on where the last event was stored', async () => {
    const site = new TailSite()
    site.write('a.log', 'one\ntwo\nth')
    const first = await site.start()
    await site.until(2)
    await first.close()
    site.append('a.log', 'ree\n')
    await site.start()
    assert.deepEqual(await site.settle(3), ['one', 'two', 'three'])
  })

  test('a file that took the inode of another is read from its head', async () => {
    const site = new TailSite()
    site.write('a.log', 'the old one\n')
    const first = await site.start()
    await site.until(1)
    await first.close()
    // The same inode with other content is what a reused inode looks like.
    site.write('a.log', 'new and longer than the old one\n')
    await site.start()
    assert.deepEqual(await site.settle(2), ['the old one', 'new and longer than the old one'])
  })
})

describe('storing', () => {
  test('an emit that does not resolve stops the reading, and the place stays', async () => {
    const site = new TailSite()
    site.write('a.log', 'one\n')
    const hold = Promise.withResolvers<void>()
    let emits = 0
    site.gate = () => {
      emits += 1
      return hold.promise
    }
    await site.start()
    await site.untilSo(() => emits === 1, 'the first emit')
    site.append('a.log', 'two\n')
    await site.clock.move(5_000)
    assert.equal(emits, 1)
    assert.deepEqual(
      [...site.marks.places.values()].filter((place) => /^[1-9]/.test(place)),
      [],
    )
    hold.resolve()
    assert.deepEqual(await site.until(2), ['one', 'two'])
  })

  test('what was refused is read again', async () => {
    const site = new TailSite()
    site.write('a.log', 'one\n')
    let refusals = 2
    site.gate = async () => {
      if (refusals-- > 0) throw new LogboomError('LB-B004', {})
    }
    await site.start()
    assert.deepEqual(await site.until(1), ['one'])
    assert.match(site.said.join('\n'), /events of .*a\.log could not be stored: the buffer is closing/)
  })
})

describe('events of several lines', () => {
  const config = { multiline: { format_firstline: '^\\S', flush_interval: 2_000 } }

  test('wait for more lines, and are stored when none come', async () => {
    const site = new TailSite()
    site.write('a.log', 'one\n  a\n')
    const first = await site.start(config)
    await site.clock.move(1_500)
    site.append('a.log', '  b\n')
    await site.clock.move(1_500)
    assert.deepEqual(site.messages(), [])
    assert.deepEqual(await site.until(1), ['one\n  a\n  b'])
    site.append('a.log', 'two\n  c\n')
    await site.clock.move(500)
    await first.close()
    site.append('a.log', '  d\nthree\n')
    await site.start(config)
    assert.deepEqual(await site.settle(3), ['one\n  a\n  b', 'two\n  c\n  d', 'three'])
  })

  test('end where they grow beyond the limit', async () => {
    const site = new TailSite()
    const body = '  x\n'.repeat(200_000)
    site.write('a.log', `one\n${body}`)
    await site.start({ ...config, max_line_size: 1024 })
    const messages = await site.settle(4)
    assert.ok(`${messages.join('\n')}\n` === `one\n${body}`)
    assert.ok(messages.every(({ length }) => length <= 256 * 1024))
  })

  test('of a container: pieces that were read before a restart are joined with those after it', async () => {
    const site = new TailSite()
    const line = (log: string, stream: string) => `${JSON.stringify({ log, stream, time: '2026-11-25T18:00:00.5Z' })}\n`
    site.write('a.log', line('out ', 'stdout') + line('err\n', 'stderr') + line('more ', 'stdout'))
    const first = await site.start({ format: 'docker' })
    await site.until(1)
    await first.close()
    site.append('a.log', line('err 2\n', 'stderr') + line('end\n', 'stdout'))
    await site.start({ format: 'docker' })
    assert.deepEqual(await site.settle(3), ['err', 'err 2', 'out more end'])
  })
})

describe('what cannot be used', () => {
  test('is told with its key', async () => {
    const site = new TailSite()
    const rows = [
      [{ path: ['a.log'] }, /inputs\.files\.path` cannot be used: `a\.log` is not absolute/],
      [{ multiline: { format_firstline: '(', flush_interval: 1 } }, /multiline\.format_firstline` cannot be used: /],
      [{ format: 'cri', multiline: { format_firstline: 'x', flush_interval: 1 } }, /its own way to join lines/],
    ] as const
    for (const [config, text] of rows) await assert.rejects(site.start(config), { code: 'LB-T001', message: text })
  })

  test('a truncation to nothing begins anew', async () => {
    const site = new TailSite()
    site.write('a.log', 'one\ntwo\n')
    await site.start()
    await site.until(2)
    truncateSync(site.file('a.log'))
    site.append('a.log', 'three\n')
    assert.deepEqual(await site.settle(3), ['one', 'two', 'three'])
  })
})
