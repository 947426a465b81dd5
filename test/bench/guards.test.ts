/**
 * What an event may cost, in counts that do not depend on how busy the machine is: memory made for a message on its way
 * in. A limit is about twice what it is now; whoever needs more should know it.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getHeapStatistics } from 'node:v8'
import { BufferPool } from '../../protocols/encoding/buffer-pool.ts'
import { Budget } from '../../protocols/forward/budget.ts'
import { ForwardDecoder } from '../../protocols/forward/decoder.ts'
import { InFlight } from '../../protocols/forward/in-flight.ts'
import { Intake } from '../../protocols/forward/intake.ts'
import { createMessage } from '../../protocols/forward/message.ts'
import { createMessageSource, type Mode } from '../load/forward-messages.ts'

const EVENTS = 500
const MESSAGES = 50
const ROUNDS = 30
const MESSAGE_BYTES = 8 * 1024 * 1024
const LINE_BYTES = 120

const never = () => assert.fail('not for a plain message')

/** Takes a message as a connection does, to a buffer that stores at once. */
function createTaker() {
  const pool = new BufferPool()
  const taken = { events: 0, acks: 0 }
  const inFlight = new InFlight({
    emit: () => Promise.resolve(),
    budget: new Budget(),
    stored: (events) => {
      taken.events += events
    },
    acknowledge: () => {
      taken.acks += 1
    },
    failed: never,
    settled: () => {},
  })
  const decoder = new ForwardDecoder({ messageBytes: MESSAGE_BYTES, mayHold: () => true, pool })
  const common = { inFlight, pool, openSpool: never, decompressionBytes: MESSAGE_BYTES }
  const intake = new Intake({ ...common, peer: '127.0.0.1', takesEventIds: false, leftOut: never })
  const message = createMessage()
  const take = async (bytes: Buffer): Promise<void> => {
    decoder.push(bytes)
    while (decoder.next(message) === 'message') intake.take(message, 0)
    intake.flush()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { take, taken }
}

interface Cost {
  /** Bytes of objects on V8's heap. */
  readonly heap: number
  /** Bytes of buffers outside it. */
  readonly outside: number
}

function made(): Cost {
  return { heap: getHeapStatistics().used_heap_size, outside: process.memoryUsage().arrayBuffers }
}

const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!

/** Memory that is made for one message: the median of the rounds, since in a few of them some is collected. */
async function costOf(mode: Mode): Promise<Cost> {
  const options = { mode, connection: 1, tag: 'docker.web', batch: EVENTS, lineBytes: LINE_BYTES, ack: true }
  const source = createMessageSource({ ...options, startSeconds: 1_700_000_000 })
  const read = Buffer.alloc(source.maxBytes)
  const bytes = read.subarray(0, source.write(read, 0, 0, EVENTS))
  const { take, taken } = createTaker()
  const costs: Cost[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = made()
    for (let left = MESSAGES; left > 0; left -= 1) await take(bytes)
    const { heap, outside } = made()
    costs.push({ heap: (heap - before.heap) / MESSAGES, outside: (outside - before.outside) / MESSAGES })
  }
  assert.deepEqual(taken, { events: EVENTS * MESSAGES * ROUNDS, acks: MESSAGES * ROUNDS })
  return { heap: median(costs.map((cost) => cost.heap)), outside: median(costs.map((cost) => cost.outside)) }
}

/** Packed 4,700, gzip 4,500 and forward 4,200 bytes of objects when this was written, and no buffers. */
const HEAP_MAX = 10_000
const OUTSIDE_MAX = 1_000

for (const mode of ['packed', 'gzip', 'forward'] as const) {
  test(`a ${mode} message of ${EVENTS} events makes at most ${HEAP_MAX} bytes of objects, and no buffers`, async () => {
    const cost = await costOf(mode)
    assert.ok(cost.heap <= HEAP_MAX, `${cost.heap} bytes of objects`)
    assert.ok(cost.outside <= OUTSIDE_MAX, `${cost.outside} bytes of buffers`)
  })
}
