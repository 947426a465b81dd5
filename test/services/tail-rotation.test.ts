/** A file is written and rotated while its follower is killed again and again: every line comes, and once. */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createSite } from '../e2e/program.ts'
import { startBulkSink } from '../load/bulk-sink.ts'
import { need } from './launchers/availability.ts'
import { prepareLogrotate, type RotationKind } from './launchers/logrotate.ts'

/** Of each of the two kinds: 100 and 20 in all. */
const ROTATIONS = Number(process.env.LOGBOOM_TEST_ROTATIONS ?? 50)
const KILLS = Number(process.env.LOGBOOM_TEST_ROTATION_KILLS ?? 10)
const WRITE_MS = 5
const LINES_AT_A_TIME = 20
const PROGRESS_LIMIT_MS = 60_000

/** Writes numbered lines to a file that it holds open, as a daemon does, until it is stopped. */
class LineWriter {
  /** Of the next line. */
  number = 0
  paused = false
  readonly #file: string
  #open: number
  readonly #timer: NodeJS.Timeout

  constructor(file: string) {
    this.#file = file
    this.#open = openSync(file, 'a')
    this.#timer = setInterval(() => this.paused || this.#write(LINES_AT_A_TIME), WRITE_MS)
  }

  /** In two writes, the first of which ends within a line, as buffered output does. */
  #write(count: number): void {
    let text = ''
    for (let i = 0; i < count; i += 1) text += `id=01-${String(this.number++).padStart(9, '0')} of the daemon\n`
    const cut = text.length - 10
    writeSync(this.#open, text.slice(0, cut))
    writeSync(this.#open, text.slice(cut))
  }

  reopen(): void {
    closeSync(this.#open)
    this.#open = openSync(this.#file, 'a')
  }

  stop(): void {
    clearInterval(this.#timer)
    closeSync(this.#open)
  }
}

async function everyLineOnce(t: TestContext, kind: RotationKind): Promise<void> {
  const sink = await startBulkSink({ keyed: true })
  t.after(() => sink.close())
  const outputs = { sink: { type: 'elasticsearch', match: '**', url: sink.url, index: 'logs', batch: { age: '50ms' } } }
  const site = await createSite(t, { outputs, buffer: { chunk_size: '1MiB' } })
  const file = path.join(site.folder, 'log', 'daemon.log')
  mkdirSync(path.dirname(file))
  const logrotate = await need(t, () => prepareLogrotate(file, kind, 20))
  if (logrotate === undefined) return
  const tail = { path: file, tag: 'daemon', read_from_head: true, rotate_wait: '2s' }
  site.configure({ outputs, buffer: { chunk_size: '1MiB' }, inputs: { tail } })
  const writer = new LineWriter(file)
  let program = await site.start()
  /** Of a content from which nothing was read before it was truncated nobody can know. */
  const untilRead = (number: number) =>
    program.until(`reading line ${number}`, () => (sink.seen(1)[number] ?? 0) > 0, PROGRESS_LIMIT_MS)
  const rotate = async () => {
    // What is written between the copy and the truncation is lost, by logrotate itself [logrotate(8), copytruncate].
    writer.paused = kind === 'copytruncate'
    await logrotate.rotate()
    writer.paused = false
    if (kind === 'create') writer.reopen()
  }
  for (let rotation = 0, kills = 0; rotation < ROTATIONS; rotation += 1) {
    await untilRead(writer.number)
    const isKilled = kills < KILLS && rotation % Math.floor(ROTATIONS / KILLS) === 0
    if (isKilled) {
      kills += 1
      await sleep(randomInt(200))
      await program.kill()
    }
    await rotate()
    if (isKilled) program = await site.start()
  }
  writer.stop()
  await untilRead(writer.number - 1)
  await program.untilDrained()
  const seen = sink.seen(1).subarray(0, writer.number)
  assert.equal(seen.indexOf(0), -1, 'the first line that is missing')
  assert.deepEqual([sink.stats.uniqueIds, sink.stats.duplicateIds], [writer.number, 0])
  process.stdout.write(`# ${writer.number} lines, ${ROTATIONS} rotations, ${KILLS} kills\n`)
}

test(`${ROTATIONS} rotations by rename and create, ${KILLS} kills`, (t) => everyLineOnce(t, 'create'))
test(`${ROTATIONS} rotations by copytruncate, ${KILLS} kills`, (t) => everyLineOnce(t, 'copytruncate'))
