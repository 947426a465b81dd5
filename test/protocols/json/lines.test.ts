import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Lines } from '../../../protocols/json/lines.ts'

const LIMIT = 16

/** All that is found when the bytes come in these reads; a cut line ends with `…`. */
function linesOf(reads: readonly Buffer[]): string[] {
  const lines = new Lines(LIMIT)
  const found: string[] = []
  const keep = () => found.push(lines.bytes.toString('latin1', lines.start, lines.end) + (lines.cut ? '…' : ''))
  for (const read of reads) {
    // A copy that is overwritten afterwards, as memory of a socket is.
    const lent = Buffer.from(read)
    lines.push(lent)
    while (lines.next()) keep()
    lent.fill(0x21)
    assert.ok(lines.heldBytes <= LIMIT)
  }
  if (lines.rest()) keep()
  return found
}

const TABLE: readonly [string, string, string[]][] = [
  ['lines', '{"a":1}\n{"b":2}\n', ['{"a":1}', '{"b":2}']],
  ['a last line without its end', 'a\nb', ['a', 'b']],
  ['CR LF', 'a\r\nb\r\n', ['a', 'b']],
  ['empty lines', '\n\r\n\na\n\n', ['a']],
  ['a line of the limit', `${'x'.repeat(16)}\na\n`, ['x'.repeat(16), 'a']],
  ['a line over the limit', `${'x'.repeat(17)}\na\n`, [`${'x'.repeat(16)}…`, 'a']],
  ['a long line without its end', 'x'.repeat(100), [`${'x'.repeat(16)}…`]],
]

describe('the lines of a connection', () => {
  for (const [name, text, expected] of TABLE) {
    const bytes = Buffer.from(text)
    it(name, () => {
      for (let at = 0; at <= bytes.length; at += 1) {
        assert.deepEqual(linesOf([bytes.subarray(0, at), bytes.subarray(at)]), expected, `cut at ${at}`)
      }
      assert.deepEqual(linesOf([...bytes].map((byte) => Buffer.of(byte))), expected, 'byte by byte')
    })
  }

  it('are the same in any reads, whatever the bytes', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '\n', '\r', 'xxxxxxxxx'), maxLength: 30 })
    fc.assert(
      fc.property(text, fc.array(fc.nat(200), { maxLength: 5 }), (whole, cuts) => {
        const bytes = Buffer.from(whole)
        const ends = [...cuts.filter((end) => end < bytes.length).sort((a, b) => a - b), bytes.length]
        const reads = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
        assert.deepEqual(linesOf(reads), linesOf([bytes]))
      }),
    )
  })
})
