/** F36: messages at random over sockets. Whatever comes, what is emitted is whole, and the neighbour is served. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SCAN_LIMITS } from '../../../server/core/msgpack.ts'
import { checkEntries, createEntriesCheck } from '../../../server/core/packed-entries.ts'
import { array, bin8, entries, entry, eventTime, map, record, str } from './encoding.ts'
import { type Client, type Emitted, eventually, type InputUnderTest, startInput } from './input-under-test.ts'
import { hostileBytes } from './random-messages.ts'

/** LOGBOOM_TEST_FUZZ_RUNS=100000 for an hour by hand. */
const RUNS = Number(process.env.LOGBOOM_TEST_FUZZ_RUNS ?? 400)
const ACK = Buffer.from('81a361636ba26964', 'hex')
const HONEST = array(str('honest'), eventTime(1_700_000_000, 1), record('x'), map({ chunk: str('id') }))

/** Writes them in pieces of so many bytes in turn, ends, and waits for the other side to end. */
async function send(input: InputUnderTest, bytes: Uint8Array, sizes: readonly number[]): Promise<void> {
  const client = await input.connect()
  client.socket.setNoDelay(true)
  for (let at = 0, turn = 0; at < bytes.length && !client.ended && client.error === undefined; turn += 1) {
    const size = sizes[turn % sizes.length]!
    await client.write(bytes.subarray(at, at + size))
    at += size
  }
  client.end()
  await client.receiveAll()
  client.socket.destroy()
}

async function assertServed(neighbour: Client): Promise<void> {
  const before = neighbour.length
  await neighbour.write(HONEST)
  assert.deepEqual((await neighbour.receive(before + ACK.length)).subarray(before), ACK)
}

function assertWhole({ packed, count, tag }: Emitted): void {
  const check = createEntriesCheck()
  checkEntries(packed, 0, packed.length, SCAN_LIMITS, check)
  assert.deepEqual({ ...check }, { count, bad: 0, markers: 0, at: packed.length }, packed.toString('hex'))
  assert.ok(tag.length > 0)
}

/** Large pieces for the large ones: a byte at a time would be most of the time of the test. */
const sizesFor = (bytes: Uint8Array, sizes: readonly number[]) => (bytes.length > 2_000 ? [bytes.length >> 3] : sizes)

test('messages at random, damaged, in pieces down to a byte: nothing but whole events is emitted', async () => {
  const input = await startInput({ chunkSizeLimit: 1024 * 1024, decompressionLimit: 1024 * 1024 })
  const neighbour = await input.connect()
  let kept = 0
  const pieces = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 4 })
  const property = fc.asyncProperty(hostileBytes, pieces, async (bytes, sizes) => {
    await send(input, bytes, sizesFor(bytes, sizes))
    await assertServed(neighbour)
    const emitted = input.emitted.splice(0)
    kept += emitted.length - 1
    for (const stream of emitted) assertWhole(stream)
    assert.ok(input.spools.splice(0).every((spool) => spool.discarded))
  })
  await fc.assert(property, { numRuns: RUNS })
  await eventually(() => input.stats.connections === 1)
  const { rejected } = input.stats
  for (const seen of [kept, rejected.malformed, rejected.bad_event, rejected.oversize]) assert.ok(seen > 0, `${seen}`)
})

const SEEDS: readonly (readonly [string, Uint8Array])[] = [
  ['Message', HONEST],
  ['Forward', array(str('t'), array(entry('a'), entry('b')), map({ chunk: str('id') }))],
  ['PackedForward', array(str('t'), bin8(entries('a', 'b')), map({ chunk: str('id') }))],
  ['JSON', Buffer.from('["t",1700000000,{"log":"é\\u00e9"},{"chunk":"id"}]')],
]
for (const [mode, bytes] of SEEDS) {
  test(`${mode}: every prefix, then the end; and a byte a write`, async () => {
    const input = await startInput()
    const neighbour = await input.connect()
    for (let end = 1; end < bytes.length; end += 1) {
      await send(input, bytes.subarray(0, end), [bytes.length])
      assert.equal(input.emitted.length, 0, `${end} bytes`)
    }
    assert.equal(input.stats.rejected.truncated, bytes.length - 1)
    await send(input, bytes, [1])
    assert.equal(input.emitted.length, 1)
    await assertServed(neighbour)
  })
}
