/**
 * What the kernel is really asked, in order: a lost directory sync, which ext4 hides, shows only here. Needs strace.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { before, describe, test } from 'node:test'
import { temporaryFolder } from './harness.ts'

const APPENDER = path.join(import.meta.dirname, 'appender.ts')
const EVENTS = 30
const CALLS = 'trace=openat,open,writev,pwritev,pwritev2,pwrite64,write,fsync,fdatasync,unlink,close'

const strace = spawnSync('strace', ['-V']).status === 0
const skip = strace ? false : 'strace is not installed'

test('strace is there where the tests must be complete', () => {
  assert.ok(strace || process.env.CI !== 'true', 'install strace: apt-get install strace')
})

/** A call that has returned: its name, the file it is about, what it returned. */
interface Call {
  readonly call: string
  readonly file: string
  readonly ack: number | undefined
}

/** `pid call(arguments) = result`, also where strace has cut it in two because another thread came between. */
function parse(trace: string): Call[] {
  const begun = new Map<string, string>()
  const files = new Map<number, string>()
  const calls: Call[] = []
  for (const line of trace.split('\n')) {
    const [, pid, rest] = /^(\d+)\s+(.*)$/.exec(line) ?? []
    if (pid === undefined || rest === undefined) continue
    const unfinished = /^(.*) <unfinished \.\.\.>$/.exec(rest)
    if (unfinished !== null) {
      begun.set(pid, unfinished[1]!)
      continue
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)
    const whole = resumed === null ? rest : `${begun.get(pid) ?? ''}${resumed[1]}`
    const made = /^(\w+)\((.*)\)\s+= (-?\d+)/.exec(whole)
    if (made !== null) add(made[1]!, made[2]!, Number(made[3]))
  }
  return calls

  function add(call: string, args: string, result: number): void {
    const name = /"([^"]*)"/.exec(args)?.[1]
    if (call.startsWith('open') && result >= 0) files.set(result, name ?? '')
    const file =
      call.startsWith('open') || call === 'unlink' ? (name ?? '') : (files.get(Number.parseInt(args, 10)) ?? '')
    const ack = /^1, "acked (\d+)/.exec(args)?.[1]
    calls.push({
      call: args.includes('O_EXCL') ? 'create' : call,
      file,
      ack: ack === undefined ? undefined : Number(ack),
    })
    if (call === 'close') files.delete(Number.parseInt(args, 10))
  }
}

describe('the order of the calls', { skip }, () => {
  let calls: Call[] = []
  before(() => {
    using folder = temporaryFolder()
    const output = path.join(folder.path, 'trace')
    const child = [process.execPath, APPENDER, path.join(folder.path, 'buffer'), '0', String(EVENTS)]
    const { status, stderr } = spawnSync('strace', ['-f', '-s', '256', '-e', CALLS, '-o', output, ...child])
    assert.equal(status, 0, stderr.toString())
    calls = parse(readFileSync(output, 'utf8'))
  })

  test('the folders that a killed process may have made are synced, too', () => {
    using folder = temporaryFolder()
    mkdirSync(path.join(folder.path, 'buffer', 'chunks'), { recursive: true })
    const output = path.join(folder.path, 'trace')
    const child = [process.execPath, APPENDER, path.join(folder.path, 'buffer'), '0', '1']
    const { status, stderr } = spawnSync('strace', ['-f', '-s', '256', '-e', CALLS, '-o', output, ...child])
    assert.equal(status, 0, stderr.toString())
    const made = parse(readFileSync(output, 'utf8'))
    const ack = made.findIndex((each) => each.ack !== undefined)
    for (const name of [folder.path, path.join(folder.path, 'buffer')]) {
      const synced = made.findIndex((each) => each.call === 'fsync' && each.file === name)
      assert.ok(synced !== -1 && synced < ack, name)
    }
  })

  test('what is acknowledged was written, and synced after that', () => {
    // One group at a time: an ack that came between the write of its group and the end of the sync would show here.
    let acks = 0
    let state: 'written' | 'synced' = 'written'
    for (const { call, file, ack } of calls) {
      if (file.endsWith('.chunk') && /writev|pwrite/.test(call)) state = 'written'
      if (file.endsWith('.chunk') && call === 'fdatasync') state = 'synced'
      if (ack === undefined) continue
      acks += 1
      assert.equal(state, 'synced', `event ${ack}`)
    }
    assert.equal(acks, EVENTS)
  })

  test('a new chunk and its name are durable before anything in it is acknowledged', () => {
    const created = calls.flatMap(({ call, file }, at) =>
      call === 'create' && file.endsWith('.chunk') ? [{ file, at }] : [],
    )
    assert.ok(created.length > 2, 'the test must see new chunks')
    for (const { file, at } of created) {
      const after = calls.slice(at)
      const fileSync = after.findIndex((each) => each.call === 'fsync' && each.file === file)
      const folderSync = after.findIndex((each) => each.call === 'fsync' && each.file === path.dirname(file))
      const data = after.findIndex((each) => each.call === 'fdatasync' && each.file === file)
      const ack = after.findIndex((each) => each.ack !== undefined)
      assert.ok(fileSync > 0 && fileSync < folderSync, `${file}: file, then folder`)
      assert.ok(folderSync < data && (ack === -1 || folderSync < ack), `${file}: folder, then the first group`)
    }
  })
})
