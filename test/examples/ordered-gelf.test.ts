/** Example E but for its Kafka: Docker's gelf driver, balancers, two instances, Elasticsearch, and the order in it. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import { ask } from '../e2e/search-client.ts'
import { need } from '../services/launchers/availability.ts'
import { type DockerEngine, run, startDocker } from '../services/launchers/docker.ts'
import { feedContainer } from './ordered-gelf/fed-container.ts'
import { EXAMPLE, exampleFile, INCREMENT, type OrderedSite, SEEDS, startSite } from './ordered-gelf/site.ts'
import { ofContainer, SORT, sortedDocuments } from './ordered-gelf/stored.ts'
import { reportRow } from './rows.ts'

/** Lines that are compared one by one. */
const LINES = Number(process.env.LOGBOOM_TEST_EVENTS ?? 20_000)
/** Messages that go by turns, every second of them in chunks. */
const MESSAGES = 400
/** Bytes behind each long line, of several sizes so that turns do not repeat; Docker cuts at 16 KiB of base64. */
const LONG_BYTES = [7_000, 8_000, 9_500, 11_000] as const

interface Parts {
  readonly site: OrderedSite
  readonly engine: DockerEngine
}

test('example E', async (t) => {
  const engine = await need(t, startDocker)
  if (engine === undefined) return
  t.after(() => engine.close())
  const site = await need(t, () => startSite(t))
  if (site === undefined) return
  const parts = { site, engine }
  await t.test('E1: a UDP balancer splits messages over two instances, and they come whole', () => pieces(parts))
  await t.test('E3, E7: what was printed and what is stored, line by line', () => lineByLine(parts))
  await t.test('E4: logspout through HAProxy', () => logspout(parts))
  await t.test('E5: Apache and lines of several', () => parsing(parts))
  await t.test('E2: no sequence twice', () => sequences(parts))
  await t.test('E3: what Kibana is given', () => kibana(parts))
})

/** Feeds a container and waits until its lines are stored, whatever the input has had before. */
async function feed({ site, engine }: Parts, name: string, port: number, lines: readonly string[]): Promise<void> {
  const before = await site.metric('logboom_input_events_total', 'input="gelf"')
  const untilStored = (count: number) => site.untilStored('gelf', before + count)
  await feedContainer({ engine, folder: site.folder, name, port, tag: name, lines, untilStored })
}

const rejected = (site: OrderedSite) => site.metric('logboom_input_rejected_total')

async function pieces(parts: Parts): Promise<void> {
  const { site } = parts
  const lines = Array.from({ length: MESSAGES }, (_, i) =>
    i % 2 === 0 ? `short ${i}` : `long ${i} ${randomBytes(LONG_BYTES[(i >> 1) % 4]!).toString('base64')}`,
  )
  await feed(parts, 'pieces', site.doors.byTurns, lines)
  await site.untilDrained()
  const stored = await sortedDocuments(site.searchUrl, ofContainer('pieces'))
  const texts = stored.map(({ source }) => source.short_message as string)
  assert.deepEqual([...texts].sort(), [...lines].sort())
  const handedOn = await site.metric('logboom_input_peer_chunks_total', 'direction="handed_on"')
  const received = await site.metric('logboom_input_peer_chunks_total', 'direction="received"')
  assert.ok(handedOn > MESSAGES / 2, `${handedOn} chunks were handed on`)
  assert.deepEqual([received, await rejected(site)], [handedOn, 0])
  const shares = SEEDS.map((seed) => stored.filter(({ source }) => (source.sequence as number) % INCREMENT === seed))
  for (const [index, share] of shares.entries()) {
    const numbers = share.map(({ source }) => source.short_message as string).filter((text) => text.startsWith('short'))
    assert.ok(numbers.length > 10, `instance ${index + 1} has ${numbers.length} short messages`)
    const order = numbers.map((text) => Number(text.slice('short '.length)))
    assert.deepEqual(
      order,
      [...order].sort((a, b) => a - b),
      'in order within an instance',
    )
  }
  const longs = shares.map((share) => share.filter(({ source }) => `${source.short_message}`.startsWith('long')).length)
  reportRow(
    'E1',
    `${lines.length} messages by turns, ${MESSAGES / 2} of them in chunks: ${stored.length} stored, all whole; ` +
      `${handedOn} chunks handed on, ${longs[0]} and ${longs[1]} messages put together, 0 refused`,
  )
}

async function lineByLine(parts: Parts): Promise<void> {
  const { site } = parts
  const lines = Array.from({ length: LINES }, (_, i) => `line ${i} ${randomBytes(20).toString('hex')}`)
  const raw = path.join(site.folder, 'raw.log')
  writeFileSync(raw, `${lines.join('\n')}\n`)
  await feed(parts, 'ordered', site.doors.bySource, lines)
  await site.untilDrained()
  const stored = await sortedDocuments(site.searchUrl, ofContainer('ordered'), ['@timestamp', 'sequence'])
  const instances = new Set(stored.map(({ source }) => (source.sequence as number) % INCREMENT))
  assert.equal(instances.size, 1, 'one source, one instance')
  const times = stored.map(({ source }) => source['@timestamp'])
  const shared = times.filter((time, i) => time === times[i - 1] || time === times[i + 1]).length
  assert.ok(shared > LINES / 10, `${shared} lines share their millisecond`)
  const compare = [path.join(EXAMPLE, 'compare.ts'), raw, 'ordered', site.searchUrl]
  const { code, stdout, stderr } = await run(process.execPath, compare)
  assert.equal(code, 0, stdout + stderr)
  assert.equal(stdout, `${LINES} lines: identical\n`)
  const sum = `${LINES} lines of one container at one instance, ${shared} of them in a millisecond with another`
  reportRow('E3', `${sum}: sorted by time and sequence they come as they were printed`)

  writeFileSync(raw, `${lines.toSpliced(7, 1).join('\n')}\n`)
  const other = await run(process.execPath, compare)
  assert.deepEqual([other.code, /the first that differs is line 8/.test(other.stdout)], [1, true], other.stdout)
  reportRow('E7', `compare.ts, raw log against sorted documents: ${LINES} lines identical; with one line less it fails`)
}

/** As looplab/logspout-logstash makes it. */
const logspoutLine = (id: string, stream: string, message: string) => {
  const docker = { name: `/${id}`, id, image: 'shop:1', hostname: id.slice(0, 12), labels: null }
  return `${JSON.stringify({ message, docker, stream, tags: [] })}\n`
}

async function logspout({ site }: Parts): Promise<void> {
  const [connections, perConnection, datagrams] = [6, 100, 200]
  for (let c = 0; c < connections; c += 1) {
    const socket = connect(site.logspoutTcp, '127.0.0.1')
    const text = Array.from({ length: perConnection }, (_, i) => logspoutLine(`tcp-${c}`, 'stdout', `tcp ${c} ${i}`))
    socket.resume().end(text.join(''))
    await once(socket, 'close')
  }
  const socket = createSocket('udp4')
  for (let i = 0; i < datagrams; i += 1) {
    const text = logspoutLine('udp', 'stderr', `udp ${i}`)
    await new Promise((resolve) => socket.send(text, site.doors.logspoutUdp, '127.0.0.1', resolve))
  }
  socket.close()
  const sent = connections * perConnection + datagrams
  await site.untilStored('logspout', sent)
  await site.untilDrained()
  const stored = await sortedDocuments(site.searchUrl, { term: { 'tag.keyword': 'logspout' } })
  assert.equal(stored.length, sent)
  for (let c = 0; c < connections; c += 1) {
    const own = stored.filter(({ source }) => (source.docker as { id: string }).id === `tcp-${c}`)
    const expected = Array.from({ length: perConnection }, (_, i) => `tcp ${c} ${i}`)
    assert.deepEqual(
      own.map(({ source }) => source.message),
      expected,
      'a connection keeps its order',
    )
  }
  const { source } = stored.find((document) => document.source.message === 'udp 0')!
  const docker = { name: '/udp', id: 'udp', image: 'shop:1', hostname: 'udp', labels: null }
  assert.deepEqual([source.docker, source.stream, source.tags], [docker, 'stderr', []])
  const shares = SEEDS.map((seed) => stored.filter((it) => (it.source.sequence as number) % INCREMENT === seed).length)
  assert.ok(shares.every((share) => share > 0))
  const checks = await site.haproxy.checks()
  assert.deepEqual(Object.fromEntries(checks), { 'instances/logboom-1': 'L4OK', 'instances/logboom-2': 'L4OK' })
  const logged = site.instances.flatMap(({ stderr }) => stderr.split('\n'))
  const loud = logged.filter((line) => /"(warn|error)"/.test(line))
  assert.deepEqual(loud, [], 'checks are no news')
  assert.equal(await rejected(site), 0)
  reportRow(
    'E4',
    `${connections * perConnection} lines over ${connections} connections and ${datagrams} datagrams: ` +
      `${stored.length} stored, ${shares.join(' and ')} by the instances; HAProxy's checks passed and left no warning`,
  )
}

async function parsing(parts: Parts): Promise<void> {
  const { site, engine } = parts
  const requests = Array.from(
    { length: 100 },
    (_, i) =>
      `192.0.2.${i} - frank [10/Oct/2026:13:55:${String(i % 60).padStart(2, '0')} -0700] ` +
      `"GET /item/${i} HTTP/1.0" 200 ${1_000 + i} "http://www.example.com/start" "Mozilla/4.08 [en]"`,
  )
  await feed(parts, 'apache', site.doors.bySource, requests)
  const traces = ['printf "boom %s\\n\\tat a(%s)\\n\\tat b\\n" $i $i', 'printf "fail %s\\n  caused by %s\\n" $i $i >&2']
  const script = `for i in 1 2 3 4 5 6 7 8 9 10; do ${traces.join('; ')}; done`
  const before = await site.metric('logboom_input_events_total', 'input="gelf"')
  const { code, stderr } = await engine.runContainer({
    command: ['sh', '-c', script],
    logDriver: 'gelf',
    logOptions: { 'gelf-address': `udp://127.0.0.1:${site.doors.bySource}`, tag: 'multiline' },
    name: 'traces',
  })
  assert.equal(code, 0, stderr)
  await site.untilStored('gelf', before + 50)
  await site.untilDrained()

  const hits = await sortedDocuments(site.searchUrl, ofContainer('apache'))
  assert.equal(hits.length, requests.length)
  const { index, source } = hits.find((document) => document.source.path === '/item/42')!
  assert.equal(index, 'logstash-2026.10.10')
  const { '@timestamp': time, host, user, method, code: status, size, referer, agent } = source
  assert.equal(new Date(time as string).toISOString(), '2026-10-10T20:55:42.000Z')
  assert.deepEqual([host, user, method, status, size], ['192.0.2.42', 'frank', 'GET', 200, 1_042])
  assert.deepEqual([referer, agent], ['http://www.example.com/start', 'Mozilla/4.08 [en]'])

  const joined = await sortedDocuments(site.searchUrl, ofContainer('traces'))
  const textsOf = (level: number) =>
    joined.filter((document) => document.source.level === level).map((document) => document.source.short_message)
  const numbers = Array.from({ length: 10 }, (_, i) => i + 1)
  assert.deepEqual(
    textsOf(6),
    numbers.map((i) => `boom ${i}\n\tat a(${i})\n\tat b`),
  )
  assert.deepEqual(
    textsOf(3),
    numbers.map((i) => `fail ${i}\n  caused by ${i}`),
  )
  reportRow(
    'E5',
    `${hits.length} lines of Apache: their date is the event's; ` +
      `50 lines of two streams, mixed: ${joined.length} events`,
  )
}

async function sequences({ site }: Parts): Promise<void> {
  const stored = await sortedDocuments(site.searchUrl, { match_all: {} }, ['sequence'])
  const seen = new Set(stored.map(({ source }) => source.sequence as number))
  assert.equal(seen.size, stored.length)
  const shares = SEEDS.map((seed) => [...seen].filter((sequence) => sequence % INCREMENT === seed).length)
  assert.equal(shares[0]! + shares[1]!, stored.length)
  reportRow(
    'E2',
    `counter_seed 1 and 2, counter_increment ${INCREMENT}: ${stored.length} documents, ${seen.size} sequences, ` +
      `${shares[0]} of the first instance and ${shares[1]} of the second`,
  )
}

interface SavedObject {
  readonly id: string
  readonly type: string
  readonly attributes: Readonly<Record<string, unknown>>
  readonly references: readonly { readonly id: string; readonly name: string; readonly type: string }[]
}

/** No Kibana runs here: what its objects name has to be there, and their sort has to give the order. */
async function kibana({ site }: Parts): Promise<void> {
  const objects = exampleFile('kibana.ndjson').trim().split('\n')
  const [view, search] = objects.map((line) => JSON.parse(line) as SavedObject) as [SavedObject, SavedObject]
  assert.deepEqual([view.type, search.type], ['index-pattern', 'search'])
  const { columns, sort, kibanaSavedObjectMeta } = search.attributes
  const { indexRefName } = JSON.parse((kibanaSavedObjectMeta as { searchSourceJSON: string }).searchSourceJSON)
  assert.deepEqual(search.references, [{ id: view.id, name: indexRefName, type: 'index-pattern' }])
  const asked = (sort as readonly [string, string][]).map(([field, order]) => ({ [field]: order }))
  assert.deepEqual(asked, SORT)
  const { title, timeFieldName } = view.attributes as { title: string; timeFieldName: string }
  const names = [timeFieldName, ...(columns as string[]), ...asked.flatMap(Object.keys)]
  const known = await ask(`${site.searchUrl}/${title}/_field_caps?fields=${[...new Set(names)].join(',')}`)
  const fields = known.fields as Record<string, Record<string, unknown>>
  for (const name of names) assert.ok(fields[name] !== undefined, `no field ${name}`)
  assert.deepEqual([Object.keys(fields['@timestamp']!), Object.keys(fields.sequence!)], [['date'], ['long']])
  const body = { size: 500, sort: asked, query: ofContainer('ordered') }
  const { hits } = await ask(`${site.searchUrl}/${title}/_search`, 'POST', body)
  const texts = (hits as { hits: { _source: { short_message: string } }[] }).hits.map(({ _source }) => _source)
  assert.deepEqual(
    texts.map(({ short_message }) => Number(short_message.split(' ')[1])),
    Array.from({ length: 500 }, (_, i) => i),
  )
  reportRow(
    'E3',
    `kibana.ndjson: its ${Object.keys(fields).length} fields are in the index, and its sort gives the order`,
  )
}
