/** Forward → buffer → a real Elasticsearch: every event exactly once, with its own number and time. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { timestampOf } from '../load/container-events.ts'
import { MODES } from '../load/forward-messages.ts'
import { need } from '../services/launchers/availability.ts'
import { type SearchServer, startSearch } from '../services/launchers/elasticsearch.ts'
import { type LoadReport, startLoad } from './load-run.ts'
import { createSite, type Program, type Site } from './program.ts'
import { countDocuments, documentsOf } from './search-client.ts'

/** Events of each mode. */
const EVENTS = Number(process.env.LOGBOOM_TEST_EVENTS ?? 200_000)
/** How long Elasticsearch is away. */
const AWAY_MS = Number(process.env.LOGBOOM_TEST_AWAY_MS ?? 10_000)
const CONNECTIONS = 4
const SEQUENCE = { seed: 3, step: 7 }

describe('forward to a real Elasticsearch', () => {
  let starting: Promise<SearchServer> | undefined
  /** One server for all of them. */
  const getServer = () => (starting ??= startSearch('elasticsearch8'))
  after(() =>
    starting?.then(
      (server) => server.close(),
      () => {},
    ),
  )

  for (const mode of MODES) {
    test(`${EVENTS} events with acks, ${mode} mode`, async (t) => {
      const elastic = await need(t, getServer)
      if (elastic === undefined) return
      const index = `exact-${mode}`
      const site = await createSite(t, configFor(elastic, index))
      const program = await site.start()
      const window = mode === 'message' ? 256 : 8
      const load = startLoad({ ...loadOf(site), mode, window, connections: CONNECTIONS, events: EVENTS })
      const report = await load.report
      await assertExact(program, elastic, { index, report })
    })
  }

  test(`Elasticsearch is stopped for ${AWAY_MS} ms in between`, async (t) => {
    const elastic = await need(t, getServer)
    if (elastic === undefined) return
    const index = 'exact-outage'
    const site = await createSite(t, configFor(elastic, index))
    const program = await site.start()
    const rate = Math.ceil(EVENTS / (AWAY_MS / 1000 + 10))
    const load = startLoad({ ...loadOf(site), mode: 'forward', connections: CONNECTIONS, events: EVENTS, rate })
    const isUnderWay = async () => (await program.output('search')).delivered > EVENTS / 20
    await program.until('delivering', isUnderWay, 60_000)
    await elastic.stop()
    await sleep(AWAY_MS)
    assert.ok((await program.output('search')).lagEvents > 0, 'events must wait while the destination is away')
    await elastic.start()
    await assertExact(program, elastic, { index, report: await load.report })
    assert.ok((await program.metric('logboom_output_retries_total')) > 0)
  })
})

function configFor(elastic: SearchServer, index: string) {
  return {
    node: { id: 'test', sequence: SEQUENCE },
    outputs: { search: { type: 'elasticsearch', match: '**', url: elastic.url, index } },
  }
}

const loadOf = (site: Site) => ({ port: site.forwardPort, tag: 'docker.web' })

interface Expectation {
  readonly index: string
  readonly report: LoadReport
}

async function assertExact(program: Program, elastic: SearchServer, { index, report }: Expectation): Promise<void> {
  assert.equal(report.acked, EVENTS)
  await program.untilDrained()
  assert.equal(await countDocuments(elastic.url, index), EVENTS)
  const numbers = new Set<string>()
  const sequences = new Set<number>()
  for await (const document of documentsOf(elastic.url, index, ['@timestamp', 'sequence', 'tag', 'log'])) {
    const id = /id=(\d\d-(\d{9}))/.exec(String(document.log))
    assert.ok(id !== null, `no number in ${JSON.stringify(document)}`)
    numbers.add(id[1]!)
    sequences.add(document.sequence as number)
    assert.equal(document['@timestamp'], timestampOf(Number(id[2]), report.startSeconds))
    assert.equal(document.tag, 'docker.web')
  }
  assert.equal(numbers.size, EVENTS, 'every number once')
  assert.equal(sequences.size, EVENTS, 'no sequence twice')
  for (let n = 0; n < EVENTS; n += 1) assert.ok(sequences.has(SEQUENCE.seed + n * SEQUENCE.step), `sequence of ${n}`)
  const output = await program.output('search')
  assert.deepEqual([output.delivered, output.dead, output.dropped, output.unaccounted], [EVENTS, 0, 0, 0])
  const rate = `${report.eventsPerSecond} events/s in, ack p99 ${report.ackP99Ms} ms`
  const cost = `${program.cpuSeconds()} CPU s, ${program.memoryMiB().peak.toFixed(0)} MiB at most`
  process.stdout.write(`# ${index}: ${rate}, ${cost}\n`)
}
