/**
 * What becomes of those who knock in vain: counted by reason, said in the log once a minute per peer and code, and kept
 * for the status. Whoever turns a peer away says so here.
 */
import { ERRORS, type ErrorDetails, type KnockCode, LogboomError } from '../../server/core/errors.ts'
import { createRateLimit } from '../../server/core/log.ts'
import type { InputContext } from '../protocol.ts'
import type { Spoken } from './first-bytes.ts'

/** The same complaint about the same peer is in the log once in this time, in ms. */
const INTERVAL_MS = 60_000

export interface Doorbell {
  /**
   * Counts the knock (or `count` of them) by the reason of its code, and tells the operator. `details` needs neither
   * peer nor input.
   */
  knocked(peer: string, code: KnockCode, details: ErrorDetails, count?: number): void
  /** The peer spoke another protocol than this port takes; `takes` in the operator's words: `forward`, `syslog`. */
  stranger(peer: string, spoken: Spoken, takes: string): void
}

export function createDoorbell(context: InputContext): Doorbell {
  const { name, log, clock, stats } = context
  const limited = createRateLimit(INTERVAL_MS, () => clock.monotonic())
  const knocked = (peer: string, code: KnockCode, details: ErrorDetails, count = 1) => {
    stats.rejected[ERRORS[code].rejected] += count
    const textOf = () => {
      const { message, help } = new LogboomError(code, { ...details, peer, input: name })
      return `${message}. ${help}`
    }
    stats.knocks.note(clock.now(), peer, code, textOf)
    limited(`${code} ${peer}`, (suppressed) => log.warn({ code, ...details, peer, input: name, suppressed }, textOf()))
  }
  return {
    knocked,
    stranger(peer, spoken, takes) {
      if (spoken === 'tls') knocked(peer, 'LB-D002', {})
      else knocked(peer, 'LB-D001', { spoken: WORDS[spoken], takes, hint: hintOf(spoken, context) })
    },
  }
}

const WORDS: Readonly<Record<Spoken, string>> = {
  tls: 'TLS',
  http: 'HTTP',
  ssh: 'SSH',
  forward: 'Fluent Forward',
  json: 'JSON',
  'gelf-chunk': 'GELF in chunks',
  gzip: 'gzip',
  zlib: 'zlib',
  syslog: 'syslog',
  proxy: 'the PROXY protocol',
}

/** The input that takes what was spoken, and where it listens when nothing else is said. */
const HOMES: Partial<Record<Spoken, { readonly type: string; readonly address: string }>> = {
  http: { type: 'http', address: '127.0.0.1:9880' },
  forward: { type: 'forward', address: '127.0.0.1:24224' },
  json: { type: 'json', address: '127.0.0.1:5000' },
  'gelf-chunk': { type: 'gelf', address: '127.0.0.1:12201' },
  gzip: { type: 'gelf', address: '127.0.0.1:12201' },
  zlib: { type: 'gelf', address: '127.0.0.1:12201' },
  syslog: { type: 'syslog', address: '127.0.0.1:5140' },
}

function hintOf(spoken: Spoken, { addressOf }: InputContext): string {
  if (spoken === 'proxy') return 'Turn the PROXY protocol off in the balancer before it.'
  const home = HOMES[spoken]
  if (home === undefined) return 'Nothing here speaks it; perhaps somebody looks for open ports.'
  const address = addressOf?.(home.type)
  const word = home.type === 'gelf' && spoken !== 'gelf-chunk' ? `${WORDS[spoken]} of GELF` : WORDS[spoken]
  if (address !== undefined) return `For ${word} it is ${address}.`
  return `For ${word} it is ${home.address}, with \`inputs: { ${home.type}: {} }\`.`
}
