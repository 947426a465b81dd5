/** The program as a process: its exit codes and streams, and the shim for a Node that is too old. */
import assert from 'node:assert/strict'
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  accessSync,
  closeSync,
  constants,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const SHIM = fileURLToPath(new URL('../../server/cli/logboom.cjs', import.meta.url))
const run = promisify(execFile)

const directory = mkdtempSync(path.join(tmpdir(), 'logboom-shim-'))
after(() => rmSync(directory, { recursive: true }))

/** A Node of this machine that is older than the one Logboom needs. */
function findOldNode(): string | undefined {
  const folders = ['/usr/bin', '/usr/local/bin', ...(process.env.PATH ?? '').split(path.delimiter)]
  return folders
    .map((folder) => path.join(folder, 'node'))
    .find((node) => {
      const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' })
      return stdout !== null && Number.parseInt(stdout.slice(1), 10) < 24
    })
}

const oldNode = findOldNode()
const oldOnly = { skip: oldNode === undefined && 'no Node older than 24 is on this machine' }

/** The shim in a project of its own, whose main file is a script that says what it is given. */
function project(script: string, { withNode }: { withNode: boolean }): string {
  const root = mkdtempSync(path.join(directory, 'project-'))
  mkdirSync(path.join(root, 'server/cli'), { recursive: true })
  for (const name of ['logboom.cjs', 'compile-cache.cjs']) {
    cpSync(path.join(path.dirname(SHIM), name), path.join(root, 'server/cli', name))
  }
  writeFileSync(path.join(root, 'server/main.ts'), script)
  if (!withNode) return path.join(root, 'server/cli/logboom.cjs')
  const node = path.join(root, 'node_modules/node')
  mkdirSync(path.join(node, 'bin'), { recursive: true })
  writeFileSync(path.join(node, 'package.json'), JSON.stringify({ name: 'node', version: process.versions.node }))
  // A wrapper instead of a copy of the binary.
  writeFileSync(path.join(node, 'bin/node'), `#!/bin/sh\nexec "${process.execPath}" "$@"\n`, { mode: 0o755 })
  return path.join(root, 'server/cli/logboom.cjs')
}

test('the command is executable and ends with the code of its verb', async () => {
  accessSync(SHIM, constants.X_OK)
  const { stdout, stderr } = await run(process.execPath, [SHIM, 'explain', 'LB-C001'])
  assert.match(stdout, /^LB-C001 UnknownKey/)
  assert.equal(stderr, '')
  const failed = run(process.execPath, [SHIM, 'validate', '-c', path.join(directory, 'none.yaml')])
  await assert.rejects(failed, (error: { code: number; stdout: string; stderr: string }) => {
    assert.deepEqual([error.code, error.stdout], [78, ''])
    assert.match(error.stderr, /^LB-C006 {2}cannot read /)
    return true
  })
})

test('an old Node hands over: arguments, streams and exit code', oldOnly, async () => {
  const script = `
    let text = ''
    process.stdin.on('data', (data) => { text += data }).on('end', () => {
      console.log(JSON.stringify([process.versions.node, process.argv.slice(2), text]))
      process.exitCode = 42
    })`
  const shim = project(script, { withNode: true })
  const child = spawn(oldNode!, [shim, 'send', '--json', 'a b'], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end('lines')
  const [output] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string]
  const [code] = (await once(child, 'exit')) as [number]
  assert.deepEqual([JSON.parse(output), code], [[process.versions.node, ['send', '--json', 'a b'], 'lines'], 42])
})

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`an old Node passes ${signal} on and waits for the end`, oldOnly, async () => {
    const script = `
      process.on('${signal}', () => { console.log('got it'); clearInterval(alive); process.exitCode = 7 })
      const alive = setInterval(() => {}, 1_000)
      console.log('up')`
    const child = spawn(oldNode!, [project(script, { withNode: true })], { stdio: ['ignore', 'pipe', 'pipe'] })
    const words: string[] = []
    child.stdout.setEncoding('utf8').on('data', (text: string) => words.push(text))
    await once(child.stdout, 'data')
    child.kill(signal)
    const [code] = (await once(child, 'close')) as [number]
    assert.deepEqual([words.join(''), code], ['up\ngot it\n', 7])
  })
}

test('an old Node hands on the sockets that were handed over to it', oldOnly, async () => {
  const script = `
    const { readlinkSync } = await import('node:fs')
    const { LISTEN_PID, LISTEN_FDS } = process.env
    const links = [3, 4].map((fd) => readlinkSync('/proc/self/fd/' + fd))
    console.log(JSON.stringify([LISTEN_PID === String(process.pid), LISTEN_FDS, links]))`
  const files = ['a', 'b'].map((name) => path.join(directory, name))
  const descriptors = files.map((file) => openSync(file, 'w'))
  const stdio = ['ignore', 'pipe', 'inherit', ...descriptors] as const
  const env = { ...process.env, LISTEN_FDS: '2', LISTEN_PID: '0' }
  const words = ['-c', 'LISTEN_PID=$$ exec "$@"', 'sh', oldNode!, project(script, { withNode: true })]
  const child = spawn('/bin/sh', words, { stdio: [...stdio], env })
  for (const fd of descriptors) closeSync(fd)
  const [output] = (await once(child.stdout!.setEncoding('utf8'), 'data')) as [string]
  assert.deepEqual(JSON.parse(output), [true, '2', files])
})

test('a child that a signal ends is told apart from one that fails', oldOnly, async () => {
  const shim = project(`process.kill(process.pid, 'SIGKILL')`, { withNode: true })
  const child = spawn(oldNode!, [shim], { stdio: 'ignore' })
  assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL'])
})

test('an old Node without another one says what to do', oldOnly, async () => {
  const shim = project('', { withNode: false })
  await assert.rejects(run(oldNode!, [shim], { cwd: directory }), (error: { code: number; stderr: string }) => {
    assert.equal(error.code, 1)
    assert.match(error.stderr, /^logboom needs Node 24 or later; this is v\d+\.\d+\.\d+\. Run `npm install`[^\n]*\n$/)
    return true
  })
})
