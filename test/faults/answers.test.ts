/** F20, F21, F25, F41. What a destination answers, does not answer, or shows of itself; and events it will not take. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { type AnswerGate, type GateAnswer, startAnswerGate } from './answer-gate.ts'
import { createOracle, type Oracle, type OracleOptions } from './oracle.ts'

const SOON_MS = 60_000
const RATE = 2_000
/** Times that each answer is given. */
const TIMES = 3

const certificates = new URL('../golden/destination-tls/', import.meta.url)
const file = (name: string) => new URL(`${name}.pem`, certificates).pathname
const shown = (name: string) => ({ key: readFileSync(file('key')), cert: readFileSync(file(name)) })

async function setUp(t: TestContext, options: OracleOptions, more: { certificate?: string; output?: object } = {}) {
  const oracle = await createOracle(t, options)
  const gate = await startAnswerGate(
    oracle.sink.url,
    more.certificate === undefined ? undefined : shown(more.certificate),
  )
  t.after(() => gate.close())
  const own = { url: gate.url, index: 'logs', retry_max_interval: '1s' }
  oracle.replaceOutput('bulk', { type: 'elasticsearch', match: '**', ...own, ...more.output })
  return { oracle, gate }
}

const throttled = {
  status: 429,
  body: { error: { type: 'circuit_breaking_exception' } },
  headers: { 'retry-after': '1' },
}
const unavailable = { status: 503, body: { error: { type: 'cluster_block_exception' } } }
const poisoned = { status: 400, body: { error: { type: 'illegal_argument_exception', reason: 'asked to' } } }
const tooLarge = { status: 413, body: { error: { type: 'too_large' } } }
/** Bytes of a body that the destination takes while it says 413. */
const BODY_BYTES_MAX = 20_000

const POISON = { connection: 0, number: 77 }
/** A request with this event in it is refused whole, always. */
const refusePoison = (body: string) => (body.includes('id=00-000000077 ') ? poisoned : undefined)

/** Answers each request so until it was said so often. */
async function answering(oracle: Oracle, gate: AnswerGate, how: (body: string) => GateAnswer | undefined) {
  let given = 0
  gate.decide((body) => {
    const answer = refusePoison(body) ?? (body !== '' && given < TIMES ? how(body) : undefined)
    if (answer !== undefined && answer !== poisoned) given += 1
    return answer
  })
  const before = oracle.acked
  const end = performance.now() + SOON_MS
  while (given < TIMES || oracle.acked === before) {
    assert.ok(performance.now() < end, `answered ${given} of ${TIMES} requests`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test('F20: 429, 503, a mix of items, truncated JSON, 413, 400 for all: each event has its own fate', async (t) => {
  const { oracle, gate } = await setUp(t, { refuseEvery: 101, batch: 200 })
  const program = await oracle.start()
  gate.decide(refusePoison)
  const client = oracle.client({ rate: RATE })
  await program.until('refused for its poison', () => gate.given > TIMES, SOON_MS)
  for (const answer of [throttled, unavailable, 'truncate'] as const) await answering(oracle, gate, () => answer)
  await answering(oracle, gate, (body) => (body.length > BODY_BYTES_MAX ? tooLarge : undefined))
  gate.decide(refusePoison)
  await client.end()
  const { retries } = await program.output('bulk')
  for (const reason of ['throttled', 'unavailable', 'other'])
    assert.ok((retries[reason] ?? 0) > 0, `${reason} in ${JSON.stringify(retries)}`)
  await oracle.judge(program, 'F20', 6 * TIMES)
  const { dead } = await program.output('bulk')
  assert.equal(dead, oracle.dead.distinct, 'each refused event is one dead letter')
})

test('F21: the destination has a request, and its answer is lost: no event comes twice', async (t) => {
  const { oracle, gate } = await setUp(t, {})
  const program = await oracle.start()
  const client = oracle.client({ rate: RATE })
  let requests = 0
  gate.decide((body) => (body !== '' && requests++ % 3 === 0 && requests < 60 ? 'lose' : undefined))
  await program.until('all lost', () => requests >= 60, SOON_MS)
  await client.end()
  await oracle.judge(program, 'F21', gate.given)
})

test('F25: a certificate that is expired, then of another host, then renewed: nothing goes out before', async (t) => {
  const output = { tls: { ca_path: file('ca') } }
  const { oracle, gate } = await setUp(t, {}, { certificate: 'expired', output })
  const program = await oracle.start()
  const client = oracle.client({ rate: RATE })
  const isRefused = (words: RegExp) => async () => {
    const { state, lastError = '' } = await program.output('bulk')
    return state === 'blocked' && words.test(lastError)
  }
  await program.until('refusing the expired one', isRefused(/expired/i), SOON_MS)
  gate.show(shown('other-host'))
  await program.until('refusing the one of another host', isRefused(/altname|does not match/i), SOON_MS)
  assert.equal(oracle.sink.stats.requests, 0, 'nothing was sent, in clear or otherwise')
  gate.show(shown('good'))
  await program.until('delivering', () => oracle.sink.stats.documents > 0, SOON_MS)
  await client.end()
  await oracle.judge(program, 'F25', 2)
})

test('F41: a poison event in the middle of a chunk: its neighbours arrive, it is replayed later', async (t) => {
  const { oracle, gate } = await setUp(t, { batch: 200 })
  const program = await oracle.start()
  gate.decide(refusePoison)
  const client = oracle.client({ events: 2_000 })
  await client.done
  await program.untilDrained()
  const { dead, delivered, deadLetters } = await program.output('bulk')
  assert.deepEqual([dead, delivered, deadLetters], [1, client.acked - 1, 1])
  assert.equal(await program.metric('logboom_dead_letters_total', 'reason="illegal_argument_exception"'), 1)
  await oracle.judge(program, 'F41', 1)
  gate.decide(() => undefined)
  const { stderr } = await oracle.site.run(['dlq', 'replay', 'bulk'])
  assert.equal(stderr, '1 replayed, 0 refused again\n')
  assert.ok(oracle.bulk.has(POISON))
})
