/**
 * The stdout output: the suite of all outputs over a file, the golden lines, and pipes that are slow, closed or
 * broken.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { createLineWriter } from '../../outputs/stdout.ts'
import { batchOf, EventTime, makeBatch } from '../conformance/make-batch.ts'
import { outputContext, testOutput } from '../conformance/output.ts'

const never = new AbortController().signal

async function openFile(shape: 'document' | 'fluentd' = 'document', context = outputContext()) {
  const folder = mkdtempSync(path.join(tmpdir(), 'logboom-stdout-'))
  const file = path.join(folder, 'lines')
  const fd = openSync(file, 'w')
  const readText = async () => readFileSync(file, 'utf8')
  return {
    writer: createLineWriter(fd, { shape }, context),
    readText,
    read: async () =>
      (await readText())
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line)),
    close: async () => {
      closeSync(fd)
      rmSync(folder, { recursive: true })
    },
  }
}

testOutput({ name: 'stdout', dedupes: false, open: (context) => openFile('document', context) })

const golden = makeBatch([
  {
    tag: 'docker.web',
    events: [
      { time: new EventTime(1_795_176_000, 0), record: { log: 'a "quoted" line', source: 'stdout' } },
      { time: 1_795_176_001.5, record: {} },
    ],
  },
  { tag: 'żółw "x"', position: 77, events: [{ time: new EventTime(1_795_176_002, 7), record: { n: [1, 2.5] } }] },
])

for (const shape of ['document', 'fluentd'] as const) {
  test(`the lines of shape ${shape} are the golden ones`, async () => {
    const bench = await openFile(shape)
    await bench.writer.write(golden, never)
    const expected = new URL(`../golden/outputs/stdout-${shape}.txt`, import.meta.url)
    assert.equal(await bench.readText(), readFileSync(expected, 'utf8'))
    await bench.close()
  })
}

/** A process that writes 4 batches of 1,000 lines through the output to its standard output, which is a pipe. */
function startPrinter() {
  const script = new URL('./stdout-printer.ts', import.meta.url).pathname
  return spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'pipe'] })
}

test('a pipe that is read slowly gets every line whole', async () => {
  const child = startPrinter()
  const parts: Buffer[] = []
  child.stdout.on('data', (part: Buffer) => {
    parts.push(part)
    child.stdout.pause()
    setImmediate(() => child.stdout.resume())
  })
  await once(child, 'close')
  const lines = Buffer.concat(parts).toString().split('\n').slice(0, -1)
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).n),
    Array.from({ length: 4_000 }, (_, n) => n),
  )
})

test('a pipe that nobody reads any more is a retryable fault', async () => {
  const child = startPrinter()
  child.stdout.destroy()
  const said: Buffer[] = []
  child.stderr.on('data', (part: Buffer) => said.push(part))
  await once(child, 'close')
  assert.match(Buffer.concat(said).toString(), /OutputError retry unavailable/)
})

test('after a write that broke off within a line the next one begins with a new line', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'logboom-stdout-'))
  const fifo = path.join(folder, 'pipe')
  execFileSync('mkfifo', [fifo])
  const fd = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)
  const context = outputContext()
  const stop = new AbortController()
  // The pipe is full now: nobody reads.
  const sleep = async () => stop.abort()
  const writer = createLineWriter(fd, { shape: 'document' }, { ...context, clock: { ...context.clock, sleep } })
  await assert.rejects(writer.write(batchOf({ log: 'x'.repeat(200_000) }), stop.signal), { fault: 'retry' })
  const drain = () => readSync(fd, Buffer.alloc(300_000))
  assert.ok(drain() > 0)
  await writer.write(batchOf({ n: 2 }), never)
  const rest = Buffer.alloc(1_000)
  const text = rest.toString('utf8', 0, readSync(fd, rest))
  assert.equal(text[0], '\n')
  assert.equal(JSON.parse(text).n, 2)
  closeSync(fd)
  rmSync(folder, { recursive: true })
})
