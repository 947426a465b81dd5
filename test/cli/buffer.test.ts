/** `buffer ls`, `show`, `verify` and `export`: what lies in a buffer is told, and nothing in it is changed. */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { register } from '../../server/cli/buffer.ts'
import {
  drain,
  quickFileSystem as files,
  numbersIn,
  openBuffer,
  quickClock,
  readerOf,
  stream,
  temporaryFolder,
} from '../buffer/harness.ts'
import { run } from './fake-terminal.ts'
import { runProgram } from './run-program.ts'

/** Six events in three chunks, of which `done` is through with all and `slow` with none; the last is not closed. */
async function withBuffer(act: (folder: string) => Promise<void>): Promise<void> {
  using folder = temporaryFolder()
  const clock = quickClock(Date.UTC(2026, 0, 31, 12))
  const buffer = await openBuffer(folder.path, { files, clock, chunkSizeBytes: 64 })
  for (let first = 0; first < 6; first += 2) {
    await buffer.append(stream(first, 2, { tag: `app.${first}`, chunkId: `c${first}` }))
  }
  const [done, slow] = [await readerOf(buffer, 'done', { files }), await readerOf(buffer, 'slow', { files })]
  await drain(done)
  await done.close()
  await slow.seek(0)
  await slow.close()
  await act(folder.path)
  await buffer.close()
}

function contentOf(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(
    names.map(({ parentPath, name }) => [name, readFileSync(path.join(parentPath, name)).toString('base64')]),
  )
}

test('ls tells the chunks and who holds them, beside a buffer that is in use', () =>
  withBuffer(async (folder) => {
    const before = contentOf(folder)
    const { exitCode, output, talk } = await runProgram('buffer', 'ls', '--path', folder)
    assert.deepEqual([exitCode, talk], [0, ''])
    assert.match(output, /: 3 chunks, /)
    assert.match(output, /0000000000000002\.chunk {2} +2 +4 +2 +\d+ B {2}.* yes +slow$/m)
    assert.match(output, /0000000000000004\.chunk .* no +slow$/m)
    assert.match(output, /done +6 +0$/m)
    assert.match(output, /slow +0 +6$/m)
    const json = await runProgram('buffer', 'ls', '--path', folder, '--json')
    const { chunks } = JSON.parse(json.output) as { chunks: { first: number; heldBy: string[] }[] }
    assert.deepEqual(
      chunks.map(({ first, heldBy }) => [first, heldBy]),
      [0, 2, 4].map((first) => [first, ['slow']]),
    )
    assert.deepEqual(contentOf(folder), before, 'nothing is changed')
  }))

test('the folder is that of the configuration, unless it is named', () =>
  withBuffer(async (folder) => {
    const config = path.join(folder, 'logboom.yaml')
    const inputs = 'inputs: { forward: { listen: 127.0.0.1:0 } }'
    writeFileSync(config, `buffer: { path: ${folder} }\n${inputs}\noutputs: { screen: { type: stdout } }\n`)
    const { exitCode, output, talk } = await runProgram('buffer', 'ls', '-c', config)
    assert.deepEqual([exitCode, talk, output.includes('3 chunks')], [0, '', true])
  }))

test('show prints events with position, id, tag, time and record', () =>
  withBuffer(async (folder) => {
    const { exitCode, output } = await runProgram('buffer', 'show', '--path', folder, '--from', '3', '--limit', '2')
    const lines = output
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: string })
    const received = '2026-01-31T12:00:00.000Z'
    const time = '1970-01-01T00:00:03.000000000Z'
    assert.equal(exitCode, 0)
    assert.deepEqual(lines[0], {
      ...{ position: 3, id: lines[0]!.id, tag: 'app.2', received, time },
      record: { n: 3, pad: '' },
    })
    assert.match(lines[0]!.id, /^[\w-]{16}\.1$/)
    assert.equal(lines.length, 2)
  }))

test('export writes all as JSON lines, or a range as it came', () =>
  withBuffer(async (folder) => {
    const all = await runProgram('buffer', 'export', '--path', folder)
    const positions = all.output.match(/(?<="position":)\d+/g)
    assert.deepEqual([all.exitCode, positions], [0, ['0', '1', '2', '3', '4', '5']])
    const output = new PassThrough()
    const terminal = { input: output, output, talk: output, interrupt: () => new AbortController().signal }
    const words = ['buffer', 'export', '--path', folder, '--packed', '--from', '1', '--to', '4']
    await run(register, terminal, words)
    const packed = Buffer.from(output.read() as Buffer)
    assert.deepEqual(numbersIn(packed), [1, 2, 3])
  }))

test('verify ends with 0 when all is whole, and with 1 when a frame is damaged', () =>
  withBuffer(async (folder) => {
    const whole = await runProgram('buffer', 'verify', '--path', folder)
    assert.equal(whole.exitCode, 0)
    assert.match(whole.output, /0000000000000000\.chunk +1 +2 +0 +0 +0$/m)
    assert.match(whole.talk, /nothing is damaged/)
    const chunk = path.join(folder, 'chunks', '0000000000000002.chunk')
    const bytes = readFileSync(chunk)
    bytes[64 + 40]! ^= 1
    writeFileSync(chunk, bytes)
    const newest = path.join(folder, 'chunks', '0000000000000004.chunk')
    writeFileSync(newest, Buffer.concat([readFileSync(newest), Buffer.alloc(10)]))
    const before = contentOf(folder)
    const damaged = await runProgram('buffer', 'verify', '--path', folder)
    assert.equal(damaged.exitCode, 1)
    assert.match(damaged.output, /0000000000000002\.chunk +1 +0 +1 +2 +0$/m)
    assert.match(damaged.output, /0000000000000004\.chunk +1 +2 +0 +0 +10$/m)
    assert.match(damaged.talk, /1 chunks are damaged, 2 events cannot be read/)
    assert.deepEqual(contentOf(folder), before, 'nothing is changed')
    const left = await runProgram('buffer', 'export', '--path', folder)
    assert.deepEqual([left.exitCode, left.output.match(/\n/g)?.length], [1, 4])
    assert.match(left.talk, /^2 events are damaged or missing/)
  }))

test('a folder without a buffer and a wrong position are said so', async () => {
  using folder = temporaryFolder()
  mkdirSync(path.join(folder.path, 'chunks'))
  for (const verb of ['ls', 'show', 'verify', 'export']) {
    const { exitCode, talk } = await runProgram('buffer', verb, '--path', folder.path)
    assert.equal(exitCode, 74, verb)
    assert.match(talk, /LB-B007/)
  }
  const { exitCode, talk } = await runProgram('buffer', 'show', '--path', folder.path, '--from', '-1')
  assert.equal(exitCode, 64)
  assert.match(talk, /--from must be a position/)
})
