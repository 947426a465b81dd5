import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ChunkAssembly, type LostMessage } from '../../../protocols/gelf/chunks.ts'
import { Fault, LIMITS } from '../../../protocols/gelf/limits.ts'
import { chunk, chunksOf, ID } from './gelf-under-test.ts'

const MESSAGE = Buffer.from('a message that is cut into pieces')

function assembly({ messageBytes = 100_000, pendingBytes = 1_000_000, isIdEnough = false } = {}) {
  const missing: LostMessage[] = []
  const evicted: LostMessage[] = []
  const chunks = new ChunkAssembly(
    { timeoutMs: 5_000, messageBytes, pendingBytes, isIdEnough },
    { missing: (message) => missing.push(message), evicted: (message) => evicted.push(message) },
  )
  const add = (datagram: Buffer, { peer = '10.0.0.1', at = 0 } = {}) => chunks.add(datagram, peer, at)?.toString()
  const whole = (datagrams: readonly Buffer[], options?: { peer?: string; at?: number }) =>
    datagrams.flatMap((datagram) => add(datagram, options) ?? [])
  return { chunks, add, whole, missing, evicted }
}

const id = (number: number) => {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32BE(number, 4)
  return bytes
}

test('every size of chunks, in every rotation, gives the message once', () => {
  for (let size = 1; size <= MESSAGE.length; size += 1) {
    const datagrams = chunksOf(MESSAGE, size)
    for (let turn = 0; turn < datagrams.length; turn += 1) {
      const { whole, chunks } = assembly()
      assert.deepEqual(whole([...datagrams.slice(turn), ...datagrams.slice(0, turn)]), [MESSAGE.toString()])
      assert.deepEqual([chunks.pendingMessages, chunks.pendingBytes], [0, 0])
    }
  }
})

test('messages of several senders, shuffled and with doubles, each come whole once', () => {
  const senders = fc.array(fc.record({ size: fc.integer({ min: 1, max: 20 }), text: fc.string({ minLength: 1 }) }), {
    maxLength: 8,
  })
  fc.assert(
    fc.property(senders, fc.infiniteStream(fc.nat()), (messages, numbers) => {
      const sent = messages.flatMap(({ size, text }, i) => {
        const bytes = Buffer.from(text)
        // At most 128 chunks, and the same id for every second sender.
        const least = Math.ceil((bytes.length + 1) / LIMITS.chunks)
        const datagrams = chunksOf(bytes, Math.max(size, least), id(i >> 1))
        return [...datagrams, datagrams[0]!].map((datagram) => ({ datagram, peer: `10.0.0.${i}`, text }))
      })
      const order = sent.map((one) => ({ one, by: numbers.next().value as number })).sort((a, b) => a.by - b.by)
      const { add, chunks } = assembly()
      const seen = order.flatMap(({ one }) => add(one.datagram, one) ?? [])
      assert.deepEqual(seen.sort(), messages.map(({ text }) => text).sort())
      assert.equal(chunks.pendingBytes, 0)
    }),
  )
})

test('a chunk with the sequence of another is ignored, and so are doubles of a whole message', () => {
  const { whole, add } = assembly()
  assert.equal(add(chunk(ID, 0, 2, Buffer.from('a'))), undefined)
  assert.equal(add(chunk(ID, 0, 2, Buffer.from('z'))), undefined)
  assert.equal(add(chunk(ID, 1, 2, Buffer.from('b'))), 'ab')
  assert.deepEqual(whole([chunk(ID, 1, 2, Buffer.from('b')), chunk(ID, 0, 2, Buffer.from('a'))]), [])
})

test('another message with the id of one that was whole is a message', () => {
  const { whole } = assembly()
  assert.deepEqual(whole(chunksOf(Buffer.from('first one'), 4)), ['first one'])
  assert.deepEqual(whole(chunksOf(Buffer.from('other one'), 4)), ['other one'])
})

test('chunks that count differently are refused, and the message lives', () => {
  const { add } = assembly()
  add(chunk(ID, 0, 2, Buffer.from('a')))
  assert.throws(() => add(chunk(ID, 1, 3, Buffer.from('x'))), Fault)
  assert.equal(add(chunk(ID, 1, 2, Buffer.from('b'))), 'ab')
})

test('with peers a message is known by its id alone: a balancer may show each of them another address', () => {
  const { add } = assembly({ isIdEnough: true })
  assert.equal(add(chunk(ID, 0, 2, Buffer.from('a')), { peer: '10.0.0.1' }), undefined)
  assert.equal(add(chunk(ID, 1, 2, Buffer.from('b')), { peer: '10.0.1.1' }), 'ab')
})

describe('time', () => {
  test('counts from the first chunk, and what comes late is nothing new', () => {
    const { add, chunks, missing } = assembly()
    add(chunk(ID, 0, 3, Buffer.from('a')), { at: 0 })
    add(chunk(ID, 2, 3, Buffer.from('c')), { at: 4_999 })
    chunks.sweep(5_000)
    assert.deepEqual(missing, [{ peer: '10.0.0.1', missing: 2, count: 3 }])
    assert.equal(add(chunk(ID, 1, 3, Buffer.from('b')), { at: 5_001 }), undefined)
    assert.deepEqual([chunks.pendingMessages, chunks.pendingBytes], [0, 0])
  })

  test('each message has its own', () => {
    const { add, chunks, missing } = assembly()
    for (let i = 0; i < 10; i += 1) add(chunk(id(i), 0, 2, Buffer.from('a')), { at: i * 1_000 })
    chunks.sweep(12_000)
    assert.deepEqual([missing.length, chunks.pendingMessages], [8, 2])
    assert.equal(add(chunk(id(9), 1, 2, Buffer.from('b')), { at: 13_000 }), 'ab')
  })
})

describe('bounds', () => {
  test('one address that floods loses its own oldest messages, and another is served', () => {
    const { add, chunks, evicted } = assembly({ pendingBytes: 1e9 })
    add(chunk(ID, 0, 2, Buffer.from('a')), { peer: 'honest' })
    const flood = 5 * LIMITS.pendingMessagesPerSource
    for (let i = 0; i < flood; i += 1) add(chunk(id(i), 0, 128, Buffer.from('x')), { peer: 'flood' })
    assert.equal(chunks.pendingMessages, LIMITS.pendingMessagesPerSource + 1)
    assert.equal(evicted.length, flood - LIMITS.pendingMessagesPerSource)
    assert.ok(evicted.every(({ peer }) => peer === 'flood'))
    assert.equal(add(chunk(ID, 1, 2, Buffer.from('b')), { peer: 'honest' }), 'ab')
  })

  test('many addresses together lose the oldest', () => {
    const { add, chunks, evicted } = assembly({ pendingBytes: 1e9 })
    const flood = 2 * LIMITS.pendingMessages
    for (let i = 0; i < flood; i += 1)
      add(chunk(id(i), 0, 128, Buffer.from('x')), { peer: `10.1.${i >> 8}.${i & 255}` })
    assert.equal(chunks.pendingMessages, LIMITS.pendingMessages)
    assert.equal(evicted.length, flood - LIMITS.pendingMessages)
    assert.equal(evicted[0]!.peer, '10.1.0.0')
  })

  test('the bytes of one address, and those of all', () => {
    const { add, chunks } = assembly({ pendingBytes: 400_000 })
    const big = Buffer.alloc(10_000)
    for (let i = 0; i < 100; i += 1) add(chunk(id(i), 0, 2, big), { peer: 'one' })
    assert.ok(chunks.pendingBytes <= 100_000)
    for (let i = 0; i < 100; i += 1) add(chunk(id(i), 0, 2, big), { peer: `10.0.0.${i}` })
    assert.ok(chunks.pendingBytes <= 400_000 && chunks.pendingBytes > 300_000)
  })

  test('a message that becomes too large is given up at once, with all that still comes of it', () => {
    const { add, chunks } = assembly({ messageBytes: 25 })
    add(chunk(ID, 0, 4, Buffer.alloc(10)))
    add(chunk(ID, 1, 4, Buffer.alloc(10)))
    assert.throws(
      () => add(chunk(ID, 2, 4, Buffer.alloc(10))),
      (fault: Fault) => fault.code === 'LB-G004',
    )
    assert.equal(add(chunk(ID, 3, 4, Buffer.alloc(10))), undefined)
    assert.deepEqual([chunks.pendingMessages, chunks.pendingBytes], [0, 0])
  })

  test('any datagrams whatever: nothing but faults is thrown, and the bounds hold', () => {
    const datagram = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((rest) => Buffer.concat([Buffer.of(0x1e, 0x0f), rest])),
      fc
        .tuple(fc.nat(3), fc.nat(5), fc.nat(5), fc.uint8Array({ maxLength: 2_000 }))
        .map(([n, sequence, count, body]) => chunk(id(n), sequence, count, body)),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(datagram, fc.nat(3), fc.nat(2_000)), { maxLength: 60 }), (steps) => {
        const { chunks, add } = assembly({ pendingBytes: 20_000, messageBytes: 3_000 })
        let at = 0
        for (const [bytes, peer, pause] of steps) {
          at += pause
          try {
            add(bytes, { peer: `${peer}`, at })
          } catch (error) {
            assert.ok(error instanceof Fault)
          }
          assert.ok(chunks.pendingBytes <= 20_000 && chunks.pendingBytes >= 0)
        }
        chunks.sweep(at + 5_000)
        assert.deepEqual([chunks.pendingMessages, chunks.pendingBytes], [0, 0])
      }),
    )
  })
})
