/** Opens the store in a folder of its own, with a clock that stands still. Only for tests. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { output } from '../../../outputs/local/local.ts'
import { SearchClient } from '../../../outputs/local/search-client.ts'
import { type StoreOptions, StoreWriter } from '../../../outputs/local/store-writer.ts'
import type { OutputContext } from '../../../outputs/output.ts'
import { type Clock, systemClock } from '../../../server/core/clock.ts'
import type { Logger } from '../../../server/core/log.ts'
import { OutputStats } from '../../../server/core/output-stats.ts'
import { DEFAULT_RECEIVED_MS } from '../../conformance/make-batch.ts'

export const HOUR_MS = 3_600_000
export const DEFAULT_CONFIG = { keep_age: 24 * HOUR_MS, keep_size: 1024 ** 3, slice: HOUR_MS }

export interface Said {
  readonly level: string
  readonly fields: object
  readonly message: string
}

/** A logger that remembers. */
export function rememberingLog(): Logger & { readonly said: Said[] } {
  const said: Said[] = []
  const say = (level: string) => (fields: object, message: string) => void said.push({ level, fields, message })
  const log = {
    said,
    debug: say('debug'),
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    child: (): Logger => log,
  }
  return log
}

export interface TestClock extends Clock {
  nowMs: number
}

export function openStore(t: TestContext, options: Partial<StoreOptions> = {}) {
  const directory = options.directory ?? temporaryFolder(t)
  const clock: TestClock = { ...systemClock, nowMs: DEFAULT_RECEIVED_MS, now: () => clock.nowMs }
  const log = rememberingLog()
  const store = new StoreWriter({
    directory,
    clock,
    log,
    sequence: { seed: 1, step: 2 },
    keepAgeMs: DEFAULT_CONFIG.keep_age,
    keepSizeBytes: DEFAULT_CONFIG.keep_size,
    sliceMs: DEFAULT_CONFIG.slice,
    ...options,
  })
  const search = new SearchClient(directory, log)
  t.after(async () => {
    store.close()
    await search.close()
  })
  return { directory, clock, log, store, search }
}

/** The clock stands at the time the test events are received: by the real one they would be too old to keep. */
export function contextOf(directory: string, log: Logger = rememberingLog()): OutputContext {
  const clock = { ...systemClock, now: () => DEFAULT_RECEIVED_MS }
  const own = { name: 'local', node: 'testbox', sequence: { seed: 1, step: 2 }, directory }
  return { ...own, log, clock, stats: new OutputStats() }
}

export function temporaryFolder(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'logboom-local-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export { output }
