/** kill -9 at any moment: whatever was acknowledged is read afterwards, once. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { test } from 'node:test'
import { drain, openBuffer, readerOf, temporaryFolder } from './harness.ts'

const APPENDER = path.join(import.meta.dirname, 'appender.ts')
const ROUNDS = 4
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)

/** Numbers that were acknowledged before the process was killed, after about `acks` of them. */
async function killedAfter(folder: string, first: number, acks: number): Promise<number[]> {
  const child = spawn(process.execPath, [APPENDER, folder, String(first), '1000000'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
    if (said.split('\n').length > acks) child.kill('SIGKILL')
  })
  await once(child, 'close')
  const whole = said.slice(0, said.lastIndexOf('\n') + 1)
  return [...whole.matchAll(/^acked (\d+)$/gm)].map((match) => Number(match[1]))
}

test('every acknowledged event is there after kill -9', async (context) => {
  context.diagnostic(`SEED=${SEED}`)
  using folder = temporaryFolder()
  const acknowledged = new Set<number>()
  let random = SEED
  for (let round = 0; round < ROUNDS; round++) {
    random = (random * 1_103_515_245 + 12_345) % 2 ** 31
    const acks = 1 + (random % 120)
    for (const number of await killedAfter(folder.path, round * 1_000_000, acks)) acknowledged.add(number)
    // An output that never comes keeps all chunks: on a slow machine a round is long enough to delete what it has read.
    const buffer = await openBuffer(folder.path, { outputs: ['never'] })
    const reader = await readerOf(buffer, `round ${round}`)
    const numbers = await drain(reader)
    assert.equal(new Set(numbers).size, numbers.length, 'nothing comes twice')
    const lost = [...acknowledged].filter((number) => !numbers.includes(number))
    assert.deepEqual(lost, [], `round ${round}, SEED=${SEED}`)
    assert.equal(buffer.status().recovered.damagedFrames, 0)
    const places = [...buffer.marks.find('producer/').values()].map(Number)
    assert.equal(Math.max(...places), Math.max(...numbers), 'the marks stand where the events end')
    await reader.close()
    await buffer.close()
  }
  assert.ok(acknowledged.size > ROUNDS)
})

test('the lock of a process that was killed is free', async () => {
  using folder = temporaryFolder()
  await killedAfter(folder.path, 0, 1)
  await (await openBuffer(folder.path)).close()
})

test('a second process is turned away, and the first goes on', async () => {
  using folder = temporaryFolder()
  const buffer = await openBuffer(folder.path)
  const child = spawn(process.execPath, [APPENDER, folder.path, '0', '1'], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const [code] = await once(child, 'close')
  assert.notEqual(code, 0)
  assert.match(said, /LB-B001/)
  assert.equal(buffer.status().trouble, undefined)
  await buffer.close()
})
