import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Circuit, createCircuit, type Pass } from '../../server/delivery/circuit.ts'
import { createFakeClock, settle } from './fakes.ts'

const never = new AbortController().signal

function setUp(most: number) {
  const clock = createFakeClock()
  const circuit = createCircuit(most, clock, never)
  return { clock, circuit, ...askers(circuit) }
}

/** Those who asked, in order, with the pass of each that was let in. */
function askers(circuit: Circuit) {
  const passes: (Pass | undefined)[] = []
  const ask = (count: number, signal = never) => {
    for (let i = 0; i < count; i++) void circuit.enter(signal).then((pass) => passes.push(pass))
  }
  return { passes, ask }
}

test('in good times as many as there may be', async () => {
  const { ask, passes, circuit } = setUp(3)
  ask(5)
  await settle()
  assert.equal(passes.length, 3)
  circuit.succeeded(passes[0]!)
  await settle()
  assert.equal(passes.length, 4)
})

test('failures that were under way together count once', async () => {
  const { ask, passes, circuit, clock } = setUp(4)
  ask(4)
  await settle()
  for (const pass of passes) circuit.failed(pass!, (failures) => failures * 100)
  const since = { failingSinceMs: clock.monotonic(), openUntilMs: clock.monotonic() + 100 }
  assert.deepEqual(circuit.status(), { failures: 1, ...since, writing: 0 })
})

test('a success from before the failure does not close the circuit', async () => {
  const { ask, passes, circuit } = setUp(2)
  ask(2)
  await settle()
  circuit.failed(passes[0]!, () => 100)
  circuit.succeeded(passes[1]!)
  assert.equal(circuit.status().failures, 1)
})

test('the probe waits for the time, and for what is under way', async () => {
  const { ask, passes, circuit, clock } = setUp(2)
  ask(2)
  await settle()
  circuit.failed(passes[0]!, () => 100)
  ask(2)
  await clock.advance(1_000)
  assert.equal(passes.length, 2)
  circuit.abandoned(passes[1]!)
  await settle()
  assert.equal(passes.length, 3)
})

test('after an outage twice as many with each round', async () => {
  const { ask, passes, circuit, clock } = setUp(8)
  ask(1)
  await settle()
  circuit.failed(passes[0]!, () => 100)
  ask(100)
  await clock.advance(100)
  const rounds: number[] = []
  for (let done = 1; rounds.length < 5; ) {
    const round = passes.slice(done)
    rounds.push(round.length)
    done += round.length
    for (const pass of round) circuit.succeeded(pass!)
    await settle()
  }
  assert.deepEqual(rounds, [1, 2, 4, 8, 8])
})

test('a destination that asks for less gets half as many', async () => {
  const { ask, passes, circuit } = setUp(8)
  ask(100)
  await settle()
  circuit.strained(passes[0]!)
  for (const pass of passes.slice(1, 8)) circuit.abandoned(pass!)
  await settle()
  assert.equal(circuit.status().writing, 4)
})

/** Writes that are out at a time, round by round; in each all answer the same. */
async function roundsOf(circuit: Circuit, passes: (Pass | undefined)[], done: number, count: number) {
  const rounds: number[] = []
  for (let from = done; rounds.length < count; ) {
    const round = passes.slice(from)
    rounds.push(round.length)
    from += round.length
    for (const pass of round) circuit.succeeded(pass!)
    await settle()
  }
  return rounds
}

test('strains that were under way together count once; then it is one more a round', async () => {
  const { ask, passes, circuit } = setUp(8)
  ask(200)
  await settle()
  for (const pass of passes.slice(0, 8)) circuit.strained(pass!)
  await settle()
  assert.deepEqual(await roundsOf(circuit, passes, 8, 7), [4, 5, 6, 7, 8, 8, 8])
})

test('after an outage they double up to where the destination was known to be well', async () => {
  const { ask, passes, circuit, clock } = setUp(16)
  ask(200)
  await settle()
  circuit.strained(passes[0]!)
  for (const pass of passes.slice(1, 16)) circuit.abandoned(pass!)
  await settle()
  const done = passes.length
  for (const pass of passes.slice(16)) circuit.failed(pass!, () => 100)
  await clock.advance(100)
  assert.deepEqual(await roundsOf(circuit, passes, done, 7), [1, 2, 4, 8, 9, 10, 11])
})

test('who gives up waiting is let go, and takes nobody’s place', async () => {
  const { ask, passes, circuit } = setUp(1)
  const gone = new AbortController()
  ask(1)
  ask(1, gone.signal)
  ask(1)
  await settle()
  gone.abort()
  await settle()
  assert.deepEqual(passes[1], undefined)
  circuit.succeeded(passes[0]!)
  await settle()
  assert.deepEqual(passes.length, 3)
  assert.equal(circuit.status().writing, 1)
})
