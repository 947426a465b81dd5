import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { SyslogFraming } from '../../../protocols/syslog/framing.ts'

const LIMIT = 64

/** All that is found when the bytes come in these reads; a cut message ends with `…`. */
function framesOf(reads: readonly Buffer[], limit = LIMIT): string[] {
  const framing = new SyslogFraming(limit)
  const frames: string[] = []
  const keep = () => {
    frames.push(framing.bytes.toString('latin1', framing.start, framing.end) + (framing.cut ? '…' : ''))
  }
  for (const read of reads) {
    // A copy that is overwritten afterwards, as memory of a socket is.
    const lent = Buffer.from(read)
    framing.push(lent)
    while (framing.next()) keep()
    lent.fill(0x21)
    assert.ok(framing.heldBytes <= limit)
  }
  if (framing.rest()) keep()
  return frames
}

const counted = (text: string) => `${text.length} ${text}`
const long = `<13>${'x'.repeat(100)}`
const cut = `${long.slice(0, LIMIT)}…`

const TABLE: readonly [string, string, string[]][] = [
  ['lines', '<13>a\n<14>b\n', ['<13>a', '<14>b']],
  ['a last line without its end', '<13>a\n<14>b', ['<13>a', '<14>b']],
  ['zero bytes as ends', '<13>a\0<14>b\0', ['<13>a', '<14>b']],
  ['octets counted', counted('<13>a\nb') + counted('<14>c'), ['<13>a\nb', '<14>c']],
  ['both in turn', `${counted('<13>a')}<14>b\n${counted('<15>c')}`, ['<13>a', '<14>b', '<15>c']],
  ['line ends between counted messages', `${counted('<13>a')}\n${counted('<14>b')}\n`, ['<13>a', '<14>b']],
  ['a count that includes the line end', `${counted('<13>a\n')}${counted('<14>b\n')}`, ['<13>a\n', '<14>b\n']],
  ['a line that begins with a number', '12 monkeys\n<13>a\n', ['12 monkeys', '<13>a']],
  ['a number without an end', '1234567890123456789 <13>a\n', ['1234567890123456789 <13>a']],
  ['a line over the limit', `${long}\n<13>a\n`, [cut, '<13>a']],
  ['a counted message over the limit', counted(long) + counted('<13>a'), [cut, '<13>a']],
  ['a count that lies', '999999999 <13>a', ['<13>a']],
  ['nothing but line ends', '\n\n\0\n', []],
]

describe('the messages of a connection', () => {
  for (const [name, text, expected] of TABLE) {
    const bytes = Buffer.from(text, 'latin1')
    it(`${name}: at once`, () => assert.deepEqual(framesOf([bytes]), expected))
    it(`${name}: cut anywhere`, () => {
      for (let at = 0; at <= bytes.length; at += 1) {
        assert.deepEqual(framesOf([bytes.subarray(0, at), bytes.subarray(at)]), expected, `cut at ${at}`)
      }
      assert.deepEqual(framesOf([...bytes].map((byte) => Buffer.of(byte))), expected, 'byte by byte')
    })
  }

  it('are the same in any reads, whatever the bytes', () => {
    const piece = fc.constantFrom('<13>a', '\n', '\0', ' ', '5 ', '12 <1>', '3 <4>x', '9', long)
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.array(fc.nat(400), { maxLength: 6 }), (pieces, cuts) => {
        const bytes = Buffer.from(pieces.join(''), 'latin1')
        const ends = [...cuts.filter((end) => end < bytes.length).sort((a, b) => a - b), bytes.length]
        const reads = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
        assert.deepEqual(framesOf(reads), framesOf([bytes]))
      }),
      { numRuns: 1_000 },
    )
  })
})
