/**
 * An agent with a primary behind a link and a standby beside it, and behind both one sink that tells events by their
 * ids. The oracle's clients send to the agent; its sink is behind the pair.
 */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { createSite, type Program, type StartOptions } from '../../e2e/program.ts'
import { freePort } from '../../services/launchers/server-process.ts'
import { createOracle, type Oracle, type OracleOptions, type Verdict } from '../oracle.ts'
import type { Link } from './link.ts'

const LIMIT_MS = 90_000

export interface Pair {
  readonly oracle: Oracle
  readonly agent: Program
  readonly primary: Program
  readonly standby: Program
}

export interface PairOptions {
  /** Between the agent and the primary. Undefined: none. */
  readonly link?: Link
  /** Of the agent's forward output, beside its servers. */
  readonly forward: object
  readonly oracle?: OracleOptions
}

export async function startPair(t: TestContext, { link, forward, oracle: options }: PairOptions): Promise<Pair> {
  const oracle = await createOracle(t, options)
  const outputs = { search: { type: 'elasticsearch', match: '**', url: oracle.sink.url, index: 'logs' } }
  const start = async (port: number, more: StartOptions = {}) => {
    const site = await createSite(t, { outputs, forward: { listen: `0.0.0.0:${port}` } })
    return site.start(more)
  }
  const ports = [await freePort(), await freePort()] as const
  const [primary, standby] = [await start(ports[0]), await start(ports[1])]
  const before = (await link?.lead(ports[0])) ?? { host: '127.0.0.1', port: ports[0] }
  const servers = [
    { name: 'primary', ...before },
    { name: 'standby', host: '127.0.0.1', port: ports[1], standby: true },
  ]
  oracle.replaceOutput('bulk', { type: 'forward', match: '**', servers, ...forward })
  return { oracle, primary, standby, agent: await oracle.start() }
}

/** Events that a program has stored so far. */
export const received = (program: Program) => program.metric('logboom_input_events_total', 'input="forward"')

export async function untilReceived(program: Program, more: number): Promise<void> {
  const before = await received(program)
  await program.until(`receiving ${more} more`, async () => (await received(program)) >= before + more, LIMIT_MS)
}

const said = ({ stderr }: Program, words: string) => stderr.split(words).length - 1

/** @returns what resolves when the agent says once more that the primary is back. */
export function watchReturn({ agent }: Pair): () => Promise<void> {
  const before = said(agent, 'server primary is back')
  return () => agent.until('back at the primary', () => said(agent, 'server primary is back') > before, LIMIT_MS)
}

/** All is drained, each ledger is even, and the rule holds for what came to the sink by either way. */
export async function judgePair(pair: Pair, fault: string, tried: number, note: string): Promise<Verdict> {
  const { oracle, agent, primary, standby } = pair
  for (const program of [agent, primary, standby]) {
    await program.untilDrained()
    assert.equal(await program.metric('logboom_ledger_unaccounted_events'), 0, 'the ledger')
  }
  return oracle.judge(agent, fault, tried, note)
}
