/** Hostile bytes against the running program: it lives, stays small, serves its neighbour, and counts the reason. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { createGzip, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { type BulkSink, startBulkSink } from '../load/bulk-sink.ts'
import { hostileBytes } from '../protocols/forward/random-messages.ts'
import { connectForward, type ForwardClient, pack } from './forward-client.ts'
import { watchLoopDelay } from './loop-delay.ts'
import { createSite, type Program } from './program.ts'

const MIB = 1024 * 1024
const GROWTH_LIMIT_MIB = 200
/** LOGBOOM_TEST_FUZZ_RUNS=1000000 for an hour by hand. */
const FUZZ_RUNS = Number(process.env.LOGBOOM_TEST_FUZZ_RUNS ?? 2_000)
const CLOSED_WITHIN_MS = 20_000
const TAG = pack('docker.web')

/** What is written, and whether the program may wait for more (then the client ends). */
interface Attack {
  readonly name: string
  readonly bytes: () => Promise<Iterable<Uint8Array>> | Iterable<Uint8Array>
  /** Reasons of logboom_input_rejected_total of which one must rise; undefined: nothing was refused. */
  readonly reasons: readonly string[]
  /** FIN after the bytes. */
  readonly ends?: true
  /** It is a whole message, so that only its event is left out, as fluentd does. */
  readonly staysOpen?: true
}

const whole = pack(['docker.web', 1_795_180_000, { log: 'x'.repeat(500) }, { chunk: 'never acked' }])
const uint32 = (head: number, value: number) => {
  const bytes = Buffer.alloc(5, head)
  bytes.writeUInt32BE(value, 1)
  return bytes
}

const ATTACKS: readonly Attack[] = [
  { name: 'half a frame and FIN', bytes: () => [whole.subarray(0, 200)], reasons: ['truncated'], ends: true },
  { name: 'garbage', bytes: () => [Buffer.alloc(64 * 1024, 0xc1)], reasons: ['malformed'] },
  {
    name: 'HTTP',
    bytes: () => [Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    reasons: ['wrong_protocol'],
    ends: true,
  },
  {
    name: 'a depth of 100,000',
    bytes: () => [
      Buffer.from([0x93]),
      TAG,
      Buffer.from([1, 0x81, 0xa1, 0x61]),
      Buffer.alloc(100_000, 0x91),
      pack(null),
    ],
    reasons: ['bad_event'],
    staysOpen: true,
  },
  {
    name: 'a count of 4 billion entries',
    bytes: () => [Buffer.from([0x92]), TAG, uint32(0xdd, 0xff_ff_ff_ff), Buffer.alloc(1_000, 0xc1)],
    reasons: ['malformed', 'oversize'],
  },
  {
    name: 'a map of 4 billion keys',
    bytes: () => [Buffer.from([0x93]), TAG, Buffer.from([1]), uint32(0xdf, 0xff_ff_ff_ff), Buffer.alloc(1_000, 0xc1)],
    reasons: ['malformed', 'oversize'],
  },
  {
    name: 'a frame that says it has 4 GiB',
    bytes: () => [Buffer.from([0x92]), TAG, uint32(0xc6, 0xff_ff_ff_ff), Buffer.alloc(1_000)],
    reasons: ['oversize'],
  },
  {
    name: 'a gzip bomb of 200 MB of zeros',
    bytes: () => [gzipFrame(gzipSync(Buffer.alloc(200_000_000)))],
    reasons: ['bomb', 'malformed'],
  },
  {
    name: 'a gzip bomb that is one valid event of 2 GB',
    bytes: async () => [gzipFrame(await gzipOfOneEvent(2_000))],
    reasons: ['bomb', 'oversize', 'malformed'],
  },
]

function gzipFrame(zipped: Buffer): Buffer {
  return pack(['docker.web', zipped, { compressed: 'gzip', chunk: 'never acked' }])
}

/** `[time, {log: bin32 of so many MB of zeros}]`, compressed as it is made. */
async function gzipOfOneEvent(megabytes: number): Promise<Buffer> {
  const gzip = createGzip({ level: 1 })
  const chunks: Buffer[] = []
  gzip.on('data', (chunk: Buffer) => chunks.push(chunk))
  const zeros = Buffer.alloc(1_000_000)
  gzip.write(Buffer.concat([Buffer.from([0x92, 1, 0x81, 0xa1, 0x61]), uint32(0xc6, megabytes * 1_000_000)]))
  for (let i = 0; i < megabytes; i += 1) {
    if (!gzip.write(zeros)) await new Promise((resolve) => gzip.once('drain', resolve))
  }
  await new Promise<void>((resolve) => gzip.end(resolve).resume())
  return Buffer.concat(chunks)
}

describe('hostile input', () => {
  const afterwards: (() => unknown)[] = []
  let sink: BulkSink
  let program: Program
  let neighbour: ForwardClient
  let quietMiB: number
  let assertLoopRan: () => Promise<void>
  before(async () => {
    sink = await startBulkSink()
    const outputs = { sink: { type: 'elasticsearch', match: '**', url: sink.url, index: 'logs' } }
    const site = await createSite({ after: (end: () => unknown) => afterwards.push(end) } as never, { outputs })
    program = await site.start()
    neighbour = await connectForward(site.forwardPort)
    await neighbour.sendEvent('docker.web', { log: 'warm' })
    quietMiB = program.memoryMiB().now
    assertLoopRan = await watchLoopDelay(program)
  })
  after(async () => {
    neighbour.destroy()
    for (const end of afterwards) await end()
    await sink.close()
  })

  const rejected = async (reasons: readonly string[]) => {
    const counts = reasons.map((reason) => program.metric('logboom_input_rejected_total', `reason="${reason}"`))
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
  }

  async function assertBounds(growthMiB: number): Promise<void> {
    const { peak } = program.memoryMiB()
    assert.ok(peak - quietMiB < growthMiB, `${quietMiB} MiB before, ${peak} MiB at most`)
    await assertLoopRan()
  }

  for (const attack of ATTACKS) {
    test(attack.name, async () => {
      const before = await rejected(attack.reasons)
      const attacker = await connectForward(program.forwardPort)
      const writing = writeAll(attacker, await attack.bytes(), attack.ends === true)
      await neighbour.sendEvent('docker.web', { log: `beside ${attack.name}` })
      const isCounted = async () => (await rejected(attack.reasons)) > before
      await program.until(`counting it as ${attack.reasons.join(' or ')}`, isCounted, 5_000)
      await writing
      if (attack.staysOpen) attacker.destroy()
      await program.until('closing the attacker', () => !attacker.isOpen, CLOSED_WITHIN_MS)
      await neighbour.sendEvent('docker.web', { log: `after ${attack.name}` })
      await assertBounds(GROWTH_LIMIT_MIB)
    })
  }

  test('one honest frame of 200 MB is stored and acknowledged, and memory stays bounded', async () => {
    const entry = pack([1_795_180_000, { log: 'y'.repeat(1_000) }])
    const count = Math.floor(200_000_000 / entry.length)
    const before = sink.stats.documents
    const client = await connectForward(program.forwardPort)
    const head = Buffer.concat([Buffer.from([0x93]), TAG, uint32(0xc6, count * entry.length)])
    await client.write(head)
    const thousand = Buffer.concat(Array.from({ length: 1_000 }, () => entry))
    for (let left = count; left > 0; left -= 1_000) {
      await client.write(thousand.subarray(0, Math.min(left, 1_000) * entry.length))
    }
    await client.write(pack({ size: count, chunk: 'large' }))
    assert.equal(await client.nextAck(), 'large')
    client.destroy()
    await program.untilDrained()
    assert.ok(sink.stats.documents - before >= count)
    const { peak } = program.memoryMiB()
    process.stdout.write(`# memory: ${quietMiB.toFixed(0)} MiB at rest, ${peak.toFixed(0)} MiB at most\n`)
    await assertBounds(2 * GROWTH_LIMIT_MIB)
  })

  test('thousands of messages at random leave the neighbour served', async () => {
    const seed = Number(process.env.LOGBOOM_TEST_SEED ?? Date.now() % 2 ** 31)
    process.stdout.write(`# LOGBOOM_TEST_SEED=${seed}\n`)
    for (const bytes of fc.sample(hostileBytes, { numRuns: FUZZ_RUNS, seed })) {
      await throwAway(program.forwardPort, bytes)
      await neighbour.sendEvent('docker.web', { log: 'beside chance' })
    }
    await program.untilDrained()
    await assertBounds(2 * GROWTH_LIMIT_MIB)
  })

  test('two hundred attackers at once leave the neighbour served', async () => {
    const attackers = await Promise.all(Array.from({ length: 200 }, () => connectForward(program.forwardPort)))
    const filler = Buffer.concat([Buffer.from([0x92]), TAG, uint32(0xc6, 100 * MIB), Buffer.alloc(64 * 1024)])
    await Promise.all(attackers.map((attacker) => attacker.write(filler)))
    await neighbour.sendEvent('docker.web', { log: 'beside two hundred' })
    for (const attacker of attackers) attacker.destroy()
    await neighbour.sendEvent('docker.web', { log: 'after two hundred' })
    await assertBounds(2 * GROWTH_LIMIT_MIB)
    assert.equal(await program.isReady(), true)
  })
})

/** The other side may close in the middle: that is what it should do. */
async function writeAll(attacker: ForwardClient, parts: Iterable<Uint8Array>, ends: boolean): Promise<void> {
  for (const bytes of parts) await attacker.write(bytes).catch(() => {})
  if (ends) attacker.endWriting()
}

/** Sends the bytes and looks at no answer: the ack repeats whatever stood for an id. */
async function throwAway(port: number, bytes: Uint8Array): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port }).on('error', () => {})
  socket.resume().end(bytes)
  await new Promise((resolve) => socket.once('close', resolve))
}
