/** A peer that vanishes says no farewell: the kernel must ask after it, long before its own two hours. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { keepaliveSeconds } from './kernel-timers.ts'
import { dial, startListener, TLS } from './listener-under-test.ts'

const ASKED_WITHIN_S = 60

for (const [name, tls] of [
  ['TCP', undefined],
  ['TLS', TLS],
] as const) {
  test(`who is silent over ${name} is asked for within a minute`, async () => {
    const { port, stats } = await startListener({ tls })
    await once(dial({ port }), 'connect')
    while (stats.connections === 0) await new Promise((resolve) => setImmediate(resolve))
    const [seconds = Number.POSITIVE_INFINITY, ...others] = keepaliveSeconds(port)
    assert.equal(others.length, 0)
    assert.ok(seconds < ASKED_WITHIN_S, `in ${seconds} s`)
  })
}
