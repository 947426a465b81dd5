import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { pack } from 'msgpackr'
import { EntryWriter } from '../../../protocols/encoding/entry-writer.ts'
import { JsonRecords } from '../../../protocols/http/json-records.ts'
import { BodyFault, Refusal } from '../../../protocols/http/limits.ts'
import { MsgpackRecords } from '../../../protocols/http/msgpack-records.ts'
import { RecordEntry } from '../../../protocols/http/record-entry.ts'
import { eventsOf } from '../input-rig.ts'

type Kind = 'json' | 'msgpack'

/** All entries of a body that comes in these chunks; or its fault, in words. */
function entriesOf(kind: Kind, chunks: readonly Uint8Array[]): Buffer | string {
  const entry = new RecordEntry(undefined)
  const reader = kind === 'json' ? new JsonRecords(entry) : new MsgpackRecords(entry)
  const to = new EntryWriter(64)
  try {
    for (const chunk of chunks) {
      // A copy that is overwritten afterwards, as memory of a socket is.
      const lent = Buffer.from(chunk)
      reader.push(lent)
      while (reader.next(to));
    }
    reader.end()
  } catch (error) {
    if (error instanceof Refusal) return `${error.status}`
    if (!(error instanceof BodyFault)) throw error
    return `${error.message} at ${error.offset}${error.line === undefined ? '' : `, line ${error.line}`}`
  }
  return Buffer.from(to.bytes.subarray(0, to.length))
}

function recordsOf(kind: Kind, chunks: readonly Uint8Array[]): unknown[] | string {
  const entries = entriesOf(kind, chunks)
  return typeof entries === 'string' ? entries : eventsOf('', entries).map(({ record }) => record)
}

const JSON_BODIES: readonly [string, string, unknown[] | string][] = [
  ['an object', '{"a":1}', [{ a: 1 }]],
  ['an array', '[{"a":1}, {"b":{"c":[]}}]', [{ a: 1 }, { b: { c: [] } }]],
  ['an empty array', ' [ ] ', []],
  ['NDJSON', '{"a":1}\n{"b":2}\r\n\n{"c":3}\n', [{ a: 1 }, { b: 2 }, { c: 3 }]],
  ['objects back to back', '{"a":"}{"}{"b":"\\""}', [{ a: '}{' }, { b: '"' }]],
  ['arrays one after the other', '[{"a":1}]\n[{"b":2}]{"c":3}', [{ a: 1 }, { b: 2 }, { c: 3 }]],
  ['an object that ends too soon', '{"a":1}\n{"b":', 'the body ends within this object at 8, line 2'],
  ['an array that ends too soon', '[{"a":1},', 'the body ends within an array at 9, line 1'],
  ['a comma too much', '[{"a":1},]', 'a record must be an object at 9, line 1'],
  ['a comma that is missing', '[{"a":1} {"b":2}]', 'a comma or ] is missing at 9, line 1'],
  ['a number', '{"a":1}\n\n42', 'a record must be an object at 9, line 3'],
  ['an array within', '[[{"a":1}]]', 'a record must be an object at 1, line 1'],
  ['a word that is none', '{"a":1}\n{"b":tru}', 'not JSON at 13, line 2'],
  ['a comma within an object', '{"a":1,}', 'not JSON at 7, line 1'],
  ['a bracket of the wrong kind', '{"a":]', 'not JSON at 5, line 1'],
  ['a string that is not closed', '{"a":"x\n{"b":2}', 'a string is not closed at 7, line 1'],
  ['nothing', ' \n', []],
]
const map = (record: object) => pack(record)
const MSGPACK_BODIES: readonly [string, Buffer, unknown[] | string][] = [
  ['a map', map({ a: 1 }), [{ a: 1 }]],
  ['maps back to back', Buffer.concat([map({ a: 1 }), map({ b: 2 })]), [{ a: 1 }, { b: 2 }]],
  ['an array of maps', pack([{ a: 1 }, { b: 'x'.repeat(300) }]), [{ a: 1 }, { b: 'x'.repeat(300) }]],
  ['an array with a head of 16 bits', Buffer.concat([Buffer.of(0xdc, 0, 1), map({ a: 1 })]), [{ a: 1 }]],
  ['arrays and maps', Buffer.concat([pack([{ a: 1 }]), map({ b: 2 }), pack([])]), [{ a: 1 }, { b: 2 }]],
  ['a number', Buffer.concat([map({ a: 1 }), Buffer.of(5)]), `a record must be a map at ${map({ a: 1 }).length}`],
  ['an array within', pack([[{ a: 1 }]]), 'a record must be a map at 1'],
  ['a map that is cut', map({ a: 'xyz' }).subarray(0, -1), 'the body ends within this value at 0'],
  ['an array that is cut', Buffer.of(0x92, 0x80), 'the body ends within an array at 2'],
  ['4 billion keys', Buffer.of(0xdf, 0xff, 0xff, 0xff, 0xff), '413'],
]

for (const [kind, bodies] of [
  ['json', JSON_BODIES.map(([name, text, expected]) => [name, Buffer.from(text), expected] as const)],
  ['msgpack', MSGPACK_BODIES],
] as const) {
  describe(`records in ${kind}`, () => {
    for (const [name, body, expected] of bodies) {
      it(`${name}, cut anywhere`, () => {
        for (let at = 0; at <= body.length; at += 1) {
          assert.deepEqual(recordsOf(kind, [body.subarray(0, at), body.subarray(at)]), expected, `cut at ${at}`)
        }
        assert.deepEqual(
          recordsOf(
            kind,
            [...body].map((byte) => Buffer.of(byte)),
          ),
          expected,
          'byte by byte',
        )
      })
    }

    it('never throw anything else, whatever the bytes', () => {
      const good = fc.constantFrom(...bodies.map(([, body]) => body))
      fc.assert(
        fc.property(
          good,
          fc.nat(60),
          fc.nat(20),
          fc.uint8Array({ maxLength: 8 }),
          fc.nat(60),
          (body, from, n, more, at) => {
            const bytes = Buffer.concat([body.subarray(0, from), more, body.subarray(from + n)])
            const whole = entriesOf(kind, [bytes])
            assert.deepEqual(entriesOf(kind, [bytes.subarray(0, at), bytes.subarray(at)]), whole)
          },
        ),
        { numRuns: 2_000 },
      )
    })
  })
}

it('what is longer than a record may be is refused before it is whole', () => {
  const chunk = Buffer.alloc(65_536, 0x61)
  const chunks = (head: Buffer) => [head, ...Array.from({ length: 200 }, () => chunk)]
  assert.equal(recordsOf('json', chunks(Buffer.from('{"a":"'))), '413')
  assert.equal(recordsOf('msgpack', chunks(Buffer.from('81a161db7fffffff', 'hex'))), '413')
})
