/** What goes over the wire, byte for byte. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { Unpackr } from 'msgpackr'
import { encodeMessages, type MessageOptions, type WireMessage } from '../../../outputs/forward/messages.ts'
import { halve } from '../../../server/delivery/batch-selection.ts'
import { idsOf, makeBatch, packEntries } from '../../conformance/make-batch.ts'

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' })
const PLAIN: MessageOptions = { compress: 'text', chunkBytes: 1 << 20, asksForAcks: true, givesIds: true }
const events = (count: number) => Array.from({ length: count }, (_, n) => ({ time: 1, record: { n } }))

const bytesOf = ({ pieces }: WireMessage) => Buffer.concat(pieces)
function unpack(message: WireMessage) {
  const bytes = bytesOf(message)
  assert.equal(bytes.length, message.bytes)
  const [tag, entries, option] = unpackr.unpack(bytes) as [string, Buffer, Record<string, unknown>]
  return { tag, entries, option }
}

test('a message, byte for byte', () => {
  const batch = makeBatch([{ tag: 'web', idBase: 'AAECAwQFBgcICQoL', idIndex: 258, events: events(1) }])
  const [message] = encodeMessages(batch, PLAIN)
  const expected = [
    '93a3776562',
    'c600000006',
    '920181a16e00',
    '84a473697a65ce00000001',
    'aa636f6d70726573736564a474657874',
    `a86576656e745f6964b4${Buffer.from('AAECAwQFBgcICQoL.258').toString('hex')}`,
    `a56368756e6bb8${Buffer.from('AAECAwQFBgcICQoLAAAAAAEC').toString('hex')}`,
  ]
  assert.equal(bytesOf(message!).toString('hex'), expected.join(''))
  assert.equal(message!.chunk, 'AAECAwQFBgcICQoLAAAAAAEC')
})

test('without acks no chunk is sent, and no event id where nobody believes it', () => {
  const keysWith = (over: Partial<MessageOptions>) => {
    const [message] = encodeMessages(makeBatch([{ events: events(1) }]), { ...PLAIN, ...over })
    return Object.keys(unpack(message!).option)
  }
  assert.deepEqual(keysWith({ asksForAcks: false }), ['size', 'compressed', 'event_id'])
  assert.deepEqual(keysWith({ givesIds: false }), ['size', 'compressed', 'chunk'])
})

test('entries go out as the bytes they are, in pieces that are views where they are large', () => {
  const large = [{ record: { log: 'x'.repeat(5_000) } }]
  const batch = makeBatch([{ events: events(3) }, { events: large }])
  const [small, big] = encodeMessages(batch, PLAIN)
  assert.deepEqual(unpack(small!).entries, Buffer.from(packEntries(events(3))))
  assert.equal(small!.pieces.length, 1)
  assert.equal(big!.pieces[1], batch.streams[1]!.packed)
})

for (const [compress, expand] of [['gzip', gunzipSync] as const, ['zstd', zstdDecompressSync] as const]) {
  test(`${compress}: large entries are compressed, small ones are not, and the option says which`, () => {
    const batch = makeBatch([{ events: events(1) }, { events: events(500) }])
    const [small, large] = encodeMessages(batch, { ...PLAIN, compress }).map(unpack)
    assert.equal(small!.option.compressed, 'text')
    assert.equal(large!.option.compressed, compress)
    assert.deepEqual(expand(large!.entries), Buffer.from(packEntries(events(500))))
  })
}

test('a large stream is cut between events, and ids and numbers go on', () => {
  const batch = makeBatch([{ idBase: 'AAECAwQFBgcICQoL', idIndex: 10, events: events(10) }])
  const messages = encodeMessages(batch, { ...PLAIN, chunkBytes: 20 })
  assert.deepEqual(
    messages.map(({ first, count }) => [first, count]),
    [
      [0, 3],
      [3, 3],
      [6, 3],
      [9, 1],
    ],
  )
  const unpacked = messages.map(unpack)
  assert.deepEqual(Buffer.concat(unpacked.map(({ entries }) => entries)), Buffer.from(packEntries(events(10))))
  assert.deepEqual(
    unpacked.map(({ option }) => option.event_id),
    [10, 13, 16, 19].map((index) => `AAECAwQFBgcICQoL.${index}`),
  )
})

test('an event larger than a message may be goes alone', () => {
  const batch = makeBatch([{ events: [...events(1), { record: { log: 'x'.repeat(100) } }, ...events(1)] }])
  const counts = encodeMessages(batch, { ...PLAIN, chunkBytes: 20 }).map(({ count }) => count)
  assert.deepEqual(counts, [1, 1, 1])
})

test('the messages of a batch are the same whatever batches its streams come in', () => {
  const batch = makeBatch([{ events: events(40) }, { tag: 'other', events: events(30) }, { events: events(2) }])
  const whole = encodeMessages(batch, { ...PLAIN, chunkBytes: 50 })
  const alone = batch.streams.flatMap((stream) =>
    encodeMessages({ ...batch, streams: [stream], count: stream.count }, { ...PLAIN, chunkBytes: 50 }),
  )
  assert.deepEqual(
    alone.map((message) => [message.chunk, bytesOf(message)]),
    whole.map((message) => [message.chunk, bytesOf(message)]),
  )
})

test('each event has its id in the event_id of its message, also when a batch is halved', () => {
  const batch = makeBatch([{ events: events(7) }, { tag: 'other', idIndex: 90, events: events(6) }])
  const ids = halve(batch).flatMap((half) =>
    encodeMessages(half, PLAIN).flatMap((message) => {
      const [base, index] = (unpack(message).option.event_id as string).split('.')
      return Array.from({ length: message.count }, (_, event) => `${base}.${Number(index) + event}`)
    }),
  )
  assert.deepEqual(ids, idsOf(batch))
})

test('beyond 32 bits of index there is a chunk and no event_id', () => {
  const batch = makeBatch([{ idBase: 'AAECAwQFBgcICQoL', idIndex: 2 ** 40, events: events(1) }])
  const { option } = unpack(encodeMessages(batch, PLAIN)[0]!)
  assert.deepEqual(Object.keys(option), ['size', 'compressed', 'chunk'])
  assert.equal(Buffer.from(option.chunk as string, 'base64').readUIntBE(12, 6), 2 ** 40)
})
