/** F16, F17, F42, F43. What ends a process: another one, the kernel, an operator, a fault in the program itself. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Program } from '../e2e/program.ts'
import { createSite } from '../e2e/program.ts'
import { canMake } from './capabilities.ts'
import { createMemoryLimit, type MemoryLimit } from './memory-limit.ts'
import { createOracle, type Oracle } from './oracle.ts'

const LIMIT_MS = 60_000
const RATE = 4_000
/** More than SAME_SIGNAL_MS in `server/run.ts`: sooner it is the same signal, sent to the group and passed on. */
const SECOND_SIGNAL_MS = 1_200

async function untilMore(program: Program, oracle: Oracle, events: number): Promise<void> {
  const { acked } = oracle
  await program.until(`acknowledging ${events} more`, () => oracle.acked >= acked + events, LIMIT_MS)
}

test('F16: a second process on the buffer ends with LB-B001, and the first does not notice', async (t) => {
  const oracle = await createOracle(t)
  const program = await oracle.start()
  const client = oracle.client({ rate: RATE })
  const tries = 3
  for (let n = 0; n < tries; n += 1) {
    // Ports of its own, so that only the buffer is in its way.
    const other = await createSite(t, { outputs: oracle.outputs, buffer: { path: oracle.site.bufferPath } })
    const end = await other.run(['run', '-c', other.configFile])
    assert.equal(end.code, 73, end.stderr)
    assert.match(end.stderr, /LB-B001/)
    await untilMore(program, oracle, 1_000)
  }
  await client.end()
  await oracle.judge(program, 'F16', tries)
})

test('F17: the kernel kills it for its memory, under load', async (t) => {
  let memory: MemoryLimit | undefined
  if (!canMake(t, 'F17', () => (memory = createMemoryLimit(t)))) return
  const oracle = await createOracle(t, { batch: 200 })
  let program = await oracle.start()
  memory!.hold(program.pid)
  const client = oracle.client({ window: 32 })
  await untilMore(program, oracle, 20_000)
  // Far below what it holds, also without what the kernel can take back.
  for (
    let limit = Math.floor(program.memoryMiB().now);
    !program.hasEnded && limit > 4;
    limit = Math.floor(limit / 1.5)
  ) {
    try {
      memory!.limit(limit)
    } catch {
      // v1 refuses a limit it cannot reach just now; the next allocation meets the one before.
    }
    await sleep(300)
  }
  const { signal } = await program.end()
  assert.equal(signal, 'SIGKILL')
  program = await oracle.start()
  await client.end()
  await oracle.judge(program, 'F17', 1)
})

test('F42: TERM, TERM twice, a reload and a restart pair, all under load', async (t) => {
  const oracle = await createOracle(t, { sinks: ['bulk', 'screen'], refuseEvery: 997 })
  let program = await oracle.start()
  const client = oracle.client({ rate: RATE, window: 16 })
  await untilMore(program, oracle, 2_000)
  assert.equal((await program.stop()).code, 0, 'TERM')

  oracle.sink.delay(3_000)
  program = await oracle.start()
  await untilMore(program, oracle, 2_000)
  program.signal('SIGTERM')
  await sleep(SECOND_SIGNAL_MS)
  program.signal('SIGTERM')
  await program.end()
  oracle.sink.delay(0)

  program = await oracle.start()
  await untilMore(program, oracle, 2_000)
  oracle.replaceOutput('bulk', { ...oracle.outputs.bulk, batch: { events: 500 } })
  program.signal('SIGHUP')
  await program.until('reloaded', () => program.stderr.includes('reloaded'), LIMIT_MS)
  await untilMore(program, oracle, 2_000)

  // As an orchestrator does it: the next one is started until it has the buffer, while the last one stops.
  const ending = program.stop()
  program = await startUntilReady(oracle)
  assert.equal((await ending).code, 0)
  await untilMore(program, oracle, 2_000)
  await client.end()
  await oracle.judge(program, 'F42', 4, 'TERM, TERM twice, HUP, restart pair')
})

async function startUntilReady(oracle: Oracle): Promise<Program> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await oracle.start()
    } catch (error) {
      if (tries === 60) throw error
      await sleep(200)
    }
  }
}

const PRELOAD = fileURLToPath(new URL('./throw-later.ts', import.meta.url))
const signOf = ({ site }: Oracle) => path.join(site.folder, 'throw')

/** A program that throws now that it is ready. */
async function startThrowing(oracle: Oracle, text: string): Promise<Program> {
  const sign = signOf(oracle)
  const env = { NODE_OPTIONS: `--import ${PRELOAD}`, LOGBOOM_TEST_THROW: `${text} ${sign}` }
  const program = await oracle.start({ env })
  writeFileSync(sign, '')
  return program
}

test('F43: an uncaught exception or rejection ends the process; a thread is started again', async (t) => {
  const oracle = await createOracle(t, { sinks: ['bulk', 'screen'] })
  const client = oracle.client({ rate: RATE })
  for (const what of ['exception', 'rejection']) {
    await diesOf(oracle, what)
    await restartsAfter(t, oracle, what)
  }
  const program = await oracle.start()
  await client.end()
  await oracle.judge(program, 'F43', 4, 'main thread and output threads, exception and rejection')
})

async function diesOf(oracle: Oracle, what: string): Promise<void> {
  const { code, signal } = await (await startThrowing(oracle, `main ${what}`)).end()
  assert.notEqual(code ?? signal, 0, `it went on after an uncaught ${what}`)
}

async function restartsAfter(t: TestContext, oracle: Oracle, what: string): Promise<void> {
  const program = await startThrowing(oracle, `thread ${what}`)
  await program.until('telling of a thread that died', () => program.stderr.includes('LB-S004'), LIMIT_MS)
  t.diagnostic(`a thread died of a ${what} and was started again`)
  await untilMore(program, oracle, 1_000)
  await program.kill()
}
