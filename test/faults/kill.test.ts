/** F1. kill -9 at random moments under load: what was acknowledged is in every output afterwards. */
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { KILLS } from './bounds.ts'
import { createOracle } from './oracle.ts'
import { createRandom, SEED } from './random.ts'

/** From readiness to the kill. */
const LIFE_MS = { least: 20, most: 900 }
const CLIENTS = 3
/** Events per second of a client: all three sinks keep up with it beside the restarts. */
const RATE = 1_500
/** Between two rounds the sinks catch up: lives of a second leave them little time. */
const ROUND_KILLS = 40

for (let before = 0; before < KILLS; before += ROUND_KILLS) {
  const kills = Math.min(ROUND_KILLS, KILLS - before)
  const which = `${before + 1} to ${before + kills}`
  test(`${which} times kill -9 under load lose nothing that was acknowledged (seed ${SEED})`, (t) =>
    killUnderLoad(t, kills, SEED + before))
}

async function killUnderLoad(t: TestContext, kills: number, seed: number): Promise<void> {
  const random = createRandom(seed)
  // Small chunks, so that kills meet their making and their deletion too.
  const oracle = await createOracle(t, {
    sinks: ['bulk', 'screen', 'store'],
    refuseEvery: 997,
    config: { buffer: { chunk_size: '1MiB' } },
  })
  let program = await oracle.start()
  const clients = Array.from({ length: CLIENTS }, () => oracle.client({ rate: RATE, window: 16 }))
  for (let kill = 0; kill < kills; kill += 1) {
    await sleep(random.between(LIFE_MS.least, LIFE_MS.most))
    await program.kill()
    program = await oracle.start()
  }
  await Promise.all(clients.map((client) => client.end()))
  await oracle.judge(program, 'F1', kills)
}
