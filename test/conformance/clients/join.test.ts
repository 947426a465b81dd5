/** Statements 67 to 69: Docker's long lines, as its driver sends them: what it sent is in test/golden/forward. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { pack } from '../../e2e/forward-client.ts'
import { startServer } from './pipeline-under-test.ts'

const JOIN = [{ match: '**', join: 'docker' }]
const capture = (name: string) => readFileSync(new URL(`../../golden/forward/${name}.conn1.bin`, import.meta.url))
const PARTIAL_KEYS = ['partial_message', 'partial_id', 'partial_ordinal', 'partial_last']

interface PieceLike {
  readonly log: Uint8Array | string
  readonly ordinal: number
  readonly last?: boolean
  readonly source?: string
  readonly id?: string
}

/** One message of the driver. msgpackr packs text as str only, so bytes that are no UTF-8 are put in by hand. */
function message({ log, ordinal, last = false, source = 'stdout', id = 'a'.repeat(64) }: PieceLike): Buffer {
  const bytes = typeof log === 'string' ? Buffer.from(log) : log
  const record = {
    ...{ container_id: 'c'.repeat(64), container_name: '/web', source, partial_message: 'true', partial_id: id },
    ...{ partial_ordinal: String(ordinal), partial_last: String(last) },
  }
  const fields = pack(record).subarray(1)
  const head = Buffer.of(0x80 | 8)
  const value = Buffer.concat([Buffer.of(0xda, bytes.length >> 8, bytes.length & 255), bytes])
  return Buffer.concat([
    Buffer.of(0x94),
    pack('docker.web'),
    pack(1_763_640_000),
    head,
    fields,
    pack('log'),
    value,
    pack({}),
  ])
}

test('67: a line of 40,000 bytes arrives whole, as one document with the id of its first piece', async (t) => {
  const server = await startServer(t, JOIN)
  await server.send(capture('fluent-02-partial-40000'))
  const documents = await server.documents(2)
  assert.equal(documents[0]!.log, 'x'.repeat(40_000))
  assert.equal(documents[0]!.sequence, 1)
  assert.deepEqual(Object.keys(documents[0]!).sort(), [
    '@timestamp',
    'container_id',
    'container_name',
    'log',
    'sequence',
    'source',
    'tag',
  ])
  await server.until(({ lagEvents }) => lagEvents === 0)
  const { delivered, joined, unaccounted } = server.output()
  assert.deepEqual([delivered, joined, unaccounted], [2, 2, 0])
})

test('67: stdout and stderr of one container mixed, and a character that was cut', async (t) => {
  const server = await startServer(t, JOIN)
  await server.send(capture('fluent-17-two-streams-partial'))
  const documents = await server.documents(3)
  const lines = documents.map(({ source, log }) => [
    source,
    (log as string).replace(/^(.)\1*$/, (all, it) => it + all.length),
  ])
  assert.deepEqual(lines.sort(), [
    ['stderr', 'e40000'],
    ['stdout', 'END'],
    ['stdout', 'o40000'],
  ])
  const euro = Buffer.from('5 €!')
  const pieces = [
    message({ log: euro.subarray(3), ordinal: 2, last: true }),
    message({ log: 'other', ordinal: 1, source: 'stderr' }),
    message({ log: euro.subarray(0, 3), ordinal: 1 }),
    message({ log: '', ordinal: 2, last: true, source: 'stderr' }),
  ]
  await server.send(Buffer.concat(pieces))
  const more = (await server.documents(5)).slice(3)
  assert.deepEqual(more.map(({ log }) => log).sort(), ['5 €!', 'other'])
})

test('67: a restart in the middle of a line reads its pieces again, and nothing else', async (t) => {
  const server = await startServer(t, JOIN)
  await server.send(Buffer.concat([message({ log: 'a', ordinal: 1 }), pack(['docker.web', 1, { log: 'x' }, {}])]))
  await server.documents(1)
  await server.restart()
  await server.send(Buffer.concat([message({ log: 'b', ordinal: 2, last: true })]))
  const documents = await server.documents(2)
  assert.deepEqual(
    documents.map(({ log, sequence }) => [log, sequence]),
    [
      ['ab', 1],
      ['x', 2],
    ],
  )
  await server.until(({ lagEvents }) => lagEvents === 0)
  assert.deepEqual([server.output().delivered, server.output().joined, server.output().unaccounted], [1, 1, 0])
})

test('68: without a last piece the time ends the line', async (t) => {
  const server = await startServer(t, [{ match: '**', join: { type: 'docker', timeout: '100ms' } }])
  await server.send(message({ log: 'half a line', ordinal: 1 }))
  const [document] = await server.documents(1)
  assert.equal(document!.log, 'half a line')
  assert.deepEqual(server.output().filterErrors, { join_timeout: 1 })
})

test('68: an empty last piece, at lines of exactly 16,384 bytes', async (t) => {
  const server = await startServer(t, [{ match: '**', join: { type: 'docker', timeout: '1s' } }])
  await server.send(capture('fluent-15-edge-16384'))
  const documents = await server.documents(5)
  assert.deepEqual(
    documents.map(({ log }) => (log as string).length),
    [16_383, 16_384, 16_385, 32_768, 20_000],
  )
  assert.ok(documents.every((document) => PARTIAL_KEYS.every((key) => !(key in document))))
})

test('68: what waits is bounded, and what is over the bound is handed on, not lost', async (t) => {
  const server = await startServer(t, [{ match: '**', join: { type: 'docker', waiting_size: '64KiB' } }])
  const log = 'y'.repeat(16_384)
  const pieces = Array.from({ length: 8 }, (_, n) => message({ log, ordinal: 1, id: `${n}`.repeat(64) }))
  await server.send(Buffer.concat(pieces))
  assert.ok((await server.documents(5)).every((document) => document.log === log))
  assert.ok((server.output().filterErrors.join_limit ?? 0) >= 5)
})

test('69: the slash before container_name stays as it was sent, unless asked otherwise', async (t) => {
  const server = await startServer(t, [...JOIN, { match: 'asked.**', record: { remove: ['container_name'] } }])
  await server.send(capture('fluent-02-partial-40000'))
  const documents = await server.documents(2)
  assert.ok(documents.every(({ container_name }) => container_name === '/fluent-02-partial-40000'))
})
