/** The page's pure parts: what is read from the stream, shown of a document, put into a query and into the address. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { addTerm, clip, detailRowsOf, hueOf, levelOf, rowsOf, termOf } from '../../server/console/src/document.ts'
import { hashOf, questionOf } from '../../server/console/src/page-address.ts'
import { windowFor } from '../../server/console/src/windows.ts'
import type { JsonObject } from '../../server/core/event-text.ts'
import { age, amount, bytes, clockTime, rate } from '../../server/core/readable.ts'
import { readServerEvents } from '../../server/core/server-events.ts'

function streamOf(parts: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part)
      controller.close()
    },
  })
}

async function framesOf(parts: readonly Uint8Array[]) {
  const frames = []
  for await (const frame of readServerEvents(streamOf(parts))) frames.push(frame)
  return frames
}

describe('the event stream', () => {
  const bytesOf = new TextEncoder().encode(
    ': hi\nid: 1\n\nevent: events\nid: 2\ndata: {"a":"é日"}\n\n: alive\nid: 3\n\nid: 4\ndata: cut off',
  )
  const expected = [
    { id: '1', data: '' },
    { id: '2', data: '{"a":"é日"}' },
    { id: '3', data: '' },
  ]
  it('is the same however it is cut', async () => {
    for (let cut = 0; cut <= bytesOf.length; cut += 1) {
      assert.deepEqual(await framesOf([bytesOf.slice(0, cut), bytesOf.slice(cut)]), expected)
    }
    assert.deepEqual(await framesOf([...bytesOf].map((byte) => Uint8Array.of(byte))), expected)
  })
})

describe('levels', () => {
  for (const [event, level] of [
    [{ level: 'ERROR' }, 'error'],
    [{ severity: 'Warning' }, 'warn'],
    [{ level: 3 }, 'error'],
    [{ level: 4 }, 'warn'],
    [{ level: 6 }, 'other'],
    [{ level: 50 }, 'error'],
    [{ level: 30 }, 'other'],
    [{ level: { a: 1 } }, 'other'],
    [{ log: 'error' }, 'other'],
  ] as [JsonObject, string][]) {
    it(`${JSON.stringify(event)} is ${level}`, () => assert.equal(levelOf(event), level))
  }
})

describe('a document', () => {
  it('has a row for every value, with its path', () => {
    const rows = rowsOf({ a: { b: { c: 1 }, 'd.e': 'x' }, list: [1, { x: 9007199254740993n }], none: null, empty: {} })
    assert.deepEqual(
      rows.map(({ path, text }) => [path, text]),
      [
        ['a.b.c', '1'],
        ['a.d.e', 'x'],
        ['list', '[1,{"x":9007199254740993}]'],
        ['none', 'null'],
        ['empty', '{}'],
      ],
    )
  })
  it('shows time and tag first', () => {
    const rows = detailRowsOf({ log: 'x', tag: 't', '@timestamp': 'now' })
    assert.deepEqual(
      rows.map(({ path }) => path),
      ['@timestamp', 'tag', 'log'],
    )
  })
  it('stays shallow for a document that is deep', () => {
    let deep: JsonObject = { end: 1 }
    for (let level = 0; level < 1_000; level += 1) deep = { a: deep }
    assert.equal(rowsOf(deep).length, 1)
  })
  it('says how much is cut off', () => assert.equal(clip('x'.repeat(10), 4), 'xxxx … 6 more'))
  it('gives a tag the same hue always', () => {
    assert.equal(hueOf('docker.web'), hueOf('docker.web'))
    assert.ok(hueOf('x'.repeat(10_000)) <= 360)
  })
})

describe('a term', () => {
  for (const [field, value, term] of [
    ['level', 'error', 'level:error'],
    ['host', 'db-1.example', 'host:db-1.example'],
    ['a.b', 'two words', 'a.b:"two words"'],
    ['path', '-x', 'path:-x'],
    ['path', 'C:\\x', 'path:"C:\\\\x"'],
    ['q', 'a:b', 'q:"a:b"'],
    ['tag', 'docker.*', 'tag:"docker.*"'],
    ['log', 'say "hi"', 'log:"say \\"hi\\""'],
    ['log', 'two\nlines', undefined],
    ['log', '', undefined],
    ['two words', 'x', '"two words":x'],
    ['1st', 'x', '"1st":x'],
    ['', 'x', undefined],
    ['log', 'x'.repeat(201), undefined],
  ] as const) {
    it(`of ${field} ${value.slice(0, 20)} is ${term}`, () => assert.equal(termOf(field, value), term))
  }
  for (const [query, term, result] of [
    ['', 'a:1', 'a:1'],
    ['x', 'a:1', 'x a:1'],
    ['x a:1 y', 'a:1', 'x a:1 y'],
    ['x a:1', '-a:1', 'x -a:1'],
    ['-a:1 x', 'a:1', 'x a:1'],
    ['a:10', 'a:1', 'a:10 a:1'],
  ] as const) {
    it(`${term} added to "${query}" gives "${result}"`, () => assert.equal(addTerm(query, term), result))
  }
})

describe('the address', () => {
  it('gives back every question', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 1_024, unit: 'grapheme' }),
        fc.nat(),
        fc.integer({ min: 1 }),
        (text, from, span) => {
          const q = text.slice(0, 1_024)
          assert.deepEqual(questionOf(hashOf({ q })), { q })
          assert.deepEqual(questionOf(hashOf({ q, from, to: from + span })), { q, from, to: from + span })
        },
      ),
    )
  })
  for (const hash of ['#from=1', '#from=2&to=1', '#from=a&to=b', '#from=-1&to=5', '%']) {
    it(`has no range in ${hash}`, () => assert.deepEqual(questionOf(hash), { q: '' }))
  }
})

describe('amounts', () => {
  for (const [text, expected] of [
    [amount(9_999), '9,999'],
    [amount(12_345), '12.3K'],
    [rate(0), '0'],
    [rate(0.25), '0.3'],
    [rate(1_234.5), '1,235'],
    [bytes(0), '0 B'],
    [bytes(1_536), '1.5 KiB'],
    [bytes(2 ** 31), '2.0 GiB'],
    [age(75), '75 s'],
    [age(7_300), '2 h'],
    [clockTime(new Date(2026, 0, 2, 3, 4, 5, 6).getTime()), '03:04:05.006'],
  ] as const) {
    it(expected, () => assert.equal(text, expected))
  }
  it('opens with a window in which the newest event is', () => {
    assert.equal(windowFor(undefined, 0), 15 * 60_000)
    assert.equal(windowFor(0, 20 * 60_000), 60 * 60_000)
    assert.equal(windowFor(0, 10 ** 12), 10_080 * 60_000)
  })
})
