/** The image of deploy/Dockerfile, built and run by a real engine: small, healthy, not root, and it keeps events. */
import assert from 'node:assert/strict'
import { after, before, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { need } from './launchers/availability.ts'
import { type DockerEngine, startDocker } from './launchers/docker.ts'
import { LOGBOOM, needImages } from './launchers/images.ts'

/** What it may add to the image of Node, bytes. */
const OWN_BYTES_MAX = 80e6
const HEALTH_LIMIT_MS = 90_000
const POLL_MS = 250

let engine: DockerEngine | undefined
let reason: unknown
before(async () => {
  try {
    engine = await startDocker()
    await needImages(engine, ['node:24-slim', LOGBOOM])
  } catch (error) {
    reason = error
  }
})
after(() => engine?.close())

async function docker(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await engine!.docker(args)
  assert.equal(code, 0, `docker ${args.join(' ')}: ${stderr}`)
  return stdout.trim()
}

const needImage = (t: TestContext) =>
  need(t, () => {
    if (reason !== undefined) throw reason
    return true
  })

/** @returns its name; it is removed when the test ends. */
async function runImage(t: TestContext, name: string, ...options: string[]): Promise<string> {
  t.after(() => engine!.docker(['rm', '--force', '--volumes', name]))
  await docker('run', '--detach', '--network', 'none', '--name', name, ...options, LOGBOOM)
  const until = performance.now() + HEALTH_LIMIT_MS
  const health = () => docker('inspect', '--format', '{{.State.Health.Status}}', name)
  while ((await health()) !== 'healthy') {
    const log = await engine!.docker(['logs', name])
    assert.ok(performance.now() < until, `not healthy:\n${log.stderr}`)
    await sleep(POLL_MS)
  }
  return name
}

test('it is small, and has nothing that only builds and tests need', async (t) => {
  if ((await needImage(t)) === undefined) return
  const sizeOf = async (image: string) => Number(await docker('image', 'inspect', '--format', '{{.Size}}', image))
  const [own, node] = [await sizeOf(LOGBOOM), await sizeOf('node:24-slim')]
  t.diagnostic(`${(own / 1e6).toFixed(0)} MB, ${((own - node) / 1e6).toFixed(0)} MB of them on top of Node's image`)
  assert.ok(own - node < OWN_BYTES_MAX)
  const ls = ['run', '--rm', '--network', 'none', '--entrypoint', 'ls', LOGBOOM]
  const top = (await docker(...ls, '-A', '/app')).split('\n')
  for (const name of ['test', '.git', '.ci']) assert.ok(!top.includes(name), name)
  const modules = (await docker(...ls, '/app/node_modules')).split('\n')
  assert.ok(modules.includes('fastify'))
  for (const name of ['node', 'typescript', 'vite', 'fast-check']) assert.ok(!modules.includes(name), name)
})

test('it becomes healthy, is not root, and shows the page', async (t) => {
  if ((await needImage(t)) === undefined) return
  const name = await runImage(t, 'healthy')
  assert.equal(await docker('exec', name, 'id', '-un'), 'node')
  const page = "fetch('http://127.0.0.1:8686/').then(async (answer) => console.log(answer.status, await answer.text()))"
  assert.match(await docker('exec', name, 'node', '-e', page), /^200 <!doctype html>/i)
})

test('a stop drains it with exit code 0, and a new container on its volume has the events', async (t) => {
  if ((await needImage(t)) === undefined) return
  t.after(() => engine!.docker(['volume', 'rm', '--force', 'kept']))
  const options = ['--volume', 'kept:/var/lib/logboom']
  const logboom = 'node /app/server/cli/logboom.cjs'
  const first = await runImage(t, 'first', ...options)
  await docker('exec', first, 'sh', '-c', `echo an order of seven pears | ${logboom} send docker.shop`)
  await docker('stop', first)
  assert.equal(await docker('inspect', '--format', '{{.State.ExitCode}}', first), '0')
  const second = await runImage(t, 'second', ...options)
  assert.match(await docker('exec', second, ...logboom.split(' '), 'query', 'pears'), /an order of seven pears/)
})
