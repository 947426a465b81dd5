import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { Unpackr } from 'msgpackr'
import { BufferPool } from '../../../protocols/encoding/buffer-pool.ts'
import { ForwardDecoder } from '../../../protocols/forward/decoder.ts'
import { OversizeError } from '../../../protocols/forward/limits.ts'
import { createMessage } from '../../../protocols/forward/message.ts'
import { MalformedError } from '../../../server/core/msgpack.ts'
import {
  array,
  arrayHeader,
  bin8,
  bin16,
  bin32,
  entries,
  entry,
  eventTime,
  header,
  int32,
  map,
  nil,
  record,
  str,
  str16,
  str32,
  uint32,
} from './encoding.ts'

const OPTIONS = { messageBytes: 1024 * 1024, mayHold: () => true, pool: new BufferPool() }

/** Feeds the pieces and writes down all that was decoded. */
function decode(pieces: Iterable<Uint8Array>, options = OPTIONS): string[] {
  const decoder = new ForwardDecoder(options)
  const message = createMessage()
  const seen: string[] = []
  const hex = (start: number, end: number) => Buffer.from(message.bytes.subarray(start, end)).toString('hex')
  for (const piece of pieces) {
    decoder.push(Buffer.from(piece))
    for (let step = decoder.next(message); step !== 'more'; step = decoder.next(message)) {
      assert.equal(step, 'message')
      const { mode, tagStart, tagEnd, bodyStart, bodyEnd, entries, chunkStart, chunkEnd } = message
      if (mode === 'heartbeat' || mode === 'other') seen.push(mode)
      else {
        const tag = tagEnd < 0 ? 'bad' : hex(tagStart, tagEnd)
        const found = mode === 'packed' ? '' : `${entries.count}+${entries.bad}`
        const chunk = chunkEnd === 0 ? 'none' : hex(chunkStart, chunkEnd)
        seen.push([mode, tag, hex(bodyStart, bodyEnd), found, chunk, message.compression, message.signal].join(' '))
      }
    }
  }
  seen.push(decoder.midMessage ? 'cut' : 'whole')
  return seen
}

const bytewise = (bytes: Uint8Array) => [...bytes].map((byte) => Uint8Array.of(byte))
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const TAG = hexOf(Buffer.from('docker.web'))
const tag = str('docker.web')
const time = eventTime(1_700_000_000, 42)
const two = entries('one', 'two')
const option = map({ chunk: str('p8n9gmxTQVC8/nh2wlKKeQ==\n'), size: uint32(7), unknown: array(nil, nil) })
const CHUNK = hexOf(str('p8n9gmxTQVC8/nh2wlKKeQ==\n'))

/** The message, and what it is. */
const MESSAGES: [string, Uint8Array, string][] = [
  ['Message', array(tag, time, record('x')), `message ${TAG} ${hexOf(time)}${hexOf(record('x'))} 1+0 none none 0`],
  [
    "Message of Docker's driver: int32 and an empty option",
    array(tag, int32(1_700_000_000), record('x'), map({})),
    `message ${TAG} ${hexOf(int32(1_700_000_000))}${hexOf(record('x'))} 1+0 none none 0`,
  ],
  [
    'Message with an ack',
    array(tag, time, record('x'), option),
    `message ${TAG} ${hexOf(time)}${hexOf(record('x'))} 1+0 ${CHUNK} none 0`,
  ],
  [
    'Message with a nil option',
    array(tag, time, record('x'), nil),
    `message ${TAG} ${hexOf(time)}${hexOf(record('x'))} 1+0 none none 0`,
  ],
  ['Message without a record', array(tag, time), `message ${TAG} ${hexOf(time)} 0+1 none none 0`],
  [
    'Message whose record is no map, with an ack',
    array(tag, time, nil, option),
    `message ${TAG} ${hexOf(time)}c0 0+1 ${CHUNK} none 0`,
  ],
  [
    'Message with more elements than there are',
    array(tag, time, record('x'), option, array(nil), nil),
    `message ${TAG} ${hexOf(time)}${hexOf(record('x'))} 1+0 ${CHUNK} none 0`,
  ],
  ['Forward', array(tag, array(entry('a'), entry('b'))), `forward ${TAG} ${hexOf(entries('a', 'b'))} 2+0 none none 0`],
  [
    'Forward with a wide header and a bad entry',
    array(tag, Buffer.concat([header(0xdd, 4, 3), entry('a'), nil, entry('b')]), option),
    `forward ${TAG} ${hexOf(entry('a'))}c0${hexOf(entry('b'))} 2+1 ${CHUNK} none 0`,
  ],
  ['Forward without entries', array(tag, array()), `forward ${TAG}  0+0 none none 0`],
  ...[str, str16, str32, bin8, bin16, bin32].map((form): [string, Uint8Array, string] => [
    `PackedForward in ${form.name}`,
    array(tag, form(two), option),
    `packed ${TAG} ${hexOf(two)}  ${CHUNK} none 0`,
  ]),
  ['PackedForward without an option', array(tag, bin8(two)), `packed ${TAG} ${hexOf(two)}  none none 0`],
  ['PackedForward with a nil option', array(tag, bin8(two), nil), `packed ${TAG} ${hexOf(two)}  none none 0`],
  [
    'PackedForward, compressed, of a signal',
    array(tag, bin8(two), map({ compressed: str('gzip'), fluent_signal: Buffer.of(1) })),
    `packed ${TAG} ${hexOf(two)}  none gzip 1`,
  ],
  ['binary tag', array(bin8(Buffer.from('docker.web')), bin8(two)), `packed ${TAG} ${hexOf(two)}  none none 0`],
  ['nil tag', array(nil, bin8(two), option), `packed bad ${hexOf(two)}  ${CHUNK} none 0`],
  ['empty tag', array(str(''), bin8(two)), `packed bad ${hexOf(two)}  none none 0`],
  ['tag of 1,025 bytes', array(str('t'.repeat(1_025)), bin8(two)), `packed bad ${hexOf(two)}  none none 0`],
  ['tag that is a map', array(map({ a: nil }), bin8(two)), `packed bad ${hexOf(two)}  none none 0`],
  [
    'chunk id as binary, under a binary key',
    array(tag, bin8(two), Buffer.concat([Buffer.of(0x81), bin8(Buffer.from('chunk')), bin8(Buffer.of(0xff, 0))])),
    `packed ${TAG} ${hexOf(two)}  ${hexOf(bin8(Buffer.of(0xff, 0)))} none 0`,
  ],
  ['nil', nil, 'heartbeat'],
  ['a number', uint32(5), 'other'],
  ['a map', map({ a: nil }), 'other'],
  ['an empty array', array(), 'other'],
  ['an array of one', array(tag), 'other'],
]

for (const [name, bytes, expected] of MESSAGES) {
  test(`reads: ${name}, cut anywhere`, () => {
    const twice = Buffer.concat([bytes, bytes])
    const whole = [expected, expected, 'whole']
    assert.deepEqual(decode([twice]), whole)
    assert.deepEqual(decode(bytewise(twice)), whole)
    for (let cut = 1; cut < twice.length; cut += 1) {
      assert.deepEqual(decode([twice.subarray(0, cut), twice.subarray(cut)]), whole, `cut at ${cut}`)
    }
  })
}

test('many messages in one read, then half a one', () => {
  const bytes = Buffer.concat([...MESSAGES.map(([, message]) => message), array(tag, bin8(two)).subarray(0, 20)])
  const all = MESSAGES.map(([, , expected]) => expected)
  assert.deepEqual(decode([bytes]), [...all, 'cut'])
  assert.deepEqual(decode(bytewise(bytes)), [...all, 'cut'])
})

const golden = new URL('../../golden/forward/', import.meta.url)
for (const name of readdirSync(golden).filter((file) => file.endsWith('.bin'))) {
  test(`${name}: what Docker sends, compared with an independent decoder`, () => {
    const bytes = readFileSync(new URL(name, golden))
    const unpackr = new Unpackr({ int64AsType: 'bigint', mapsAsObjects: true })
    const messages = unpackr.unpackMultiple(bytes) as unknown[][]
    const decoded = decode([bytes])
    assert.equal(decoded.length - 1, messages.length)
    for (const [index, message] of messages.entries()) {
      const [mode, tagHex, body, found, chunk] = decoded[index]!.split(' ')
      assert.deepEqual([mode, found], ['message', '1+0'])
      assert.equal(Buffer.from(tagHex!, 'hex').toString(), message[0])
      assert.deepEqual(unpackr.unpackMultiple(Buffer.from(body!, 'hex')), message.slice(1, 3))
      const { chunk: sent } = (message[3] ?? {}) as { chunk?: string }
      assert.equal(chunk, sent === undefined ? 'none' : hexOf(str(sent)))
    }
    const cuts = bytes.length < 2_000 ? 1 : 911
    for (let cut = 1; cut < bytes.length; cut += cuts) {
      assert.deepEqual(decode([bytes.subarray(0, cut), bytes.subarray(cut)]), decoded)
    }
  })
}

/** Pieces of random sizes. */
function slices(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const size = sizes[i % sizes.length]!
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return pieces
}

test('messages changed at random: the same result however they are cut, or an error', () => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 })
  const messages = fc.array(fc.constantFrom(...MESSAGES.map(([, bytes]) => bytes)), { minLength: 1, maxLength: 6 })
  const sizes = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(messages, damage, sizes, (list, changes, cuts) => {
      const bytes = Buffer.concat(list)
      for (const [at, value] of changes) bytes[at % bytes.length] = value
      assert.deepEqual(outcome(slices(bytes, cuts)), outcome([bytes]))
    }),
    { numRuns: 500 },
  )
})

/** Up to the first error: what was read before it may depend on the cut, that there is one may not. */
function outcome(pieces: Uint8Array[]): string[] {
  try {
    return decode(pieces)
  } catch (error) {
    assert.ok(error instanceof MalformedError || error instanceof OversizeError, String(error))
    return ['error']
  }
}

const TOO_LARGE: Record<string, Uint8Array> = {
  'a packed message that says it is larger': Buffer.concat([arrayHeader(2), tag, header(0xc6, 4, 0xffffffff)]),
  'a forward message of 4 billion entries': Buffer.concat([arrayHeader(2), tag, header(0xdd, 4, 0xffffffff)]),
  'a tag of 4 GB': Buffer.concat([arrayHeader(2), header(0xdb, 4, 0xffffffff)]),
  'an array of 4 billion elements': header(0xdd, 4, 0xffffffff),
  'a map of 4 billion keys': header(0xdf, 4, 0xffffffff),
  'a whole message over the limit': array(tag, str32(Buffer.alloc(1024 * 1024))),
}

for (const [name, bytes] of Object.entries(TOO_LARGE)) {
  test(`refuses by its size: ${name}`, () => {
    assert.throws(() => decode([bytes]), OversizeError)
    assert.throws(() => decode(slices(bytes, [7, 50_000])), OversizeError)
  })
}

test('each byte of a message that comes in many reads is looked at a bounded number of times', () => {
  const items = 200_000
  const bytes = array(tag, time, map({ list: Buffer.concat([header(0xdd, 4, items), Buffer.alloc(items)]) }))
  assert.deepEqual(decode(slices(bytes, [64])).length, 2)
})

test('an event_id is found where it is text, and is not that of the message before', () => {
  const decoder = new ForwardDecoder(OPTIONS)
  const message = createMessage()
  const options = [map({ event_id: str('AAECAwQFBgcICQoL.7') }), map({ event_id: uint32(7) }), map({})]
  decoder.push(Buffer.concat(options.map((option) => array(tag, bin8(two), option))))
  const found = options.map(() => {
    assert.equal(decoder.next(message), 'message')
    const { bytes, eventIdStart, eventIdEnd } = message
    return eventIdEnd === 0 ? undefined : bytes.toString('latin1', eventIdStart, eventIdEnd)
  })
  assert.deepEqual(found, ['AAECAwQFBgcICQoL.7', undefined, undefined])
})
