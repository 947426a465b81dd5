/** The files of Docker's json-file driver, rotated by Docker: every line of a container arrives, long ones whole. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSite } from '../e2e/program.ts'
import { need } from './launchers/availability.ts'
import { startDocker } from './launchers/docker.ts'

const LINES = 3_000
const LONG_BYTES = 40_000
const SCRIPT = `
  i=0
  while [ $i -lt ${LINES} ]; do echo "line $i"; i=$((i+1)); done
  head -c ${LONG_BYTES} /dev/zero | tr '\\0' x; echo
  echo problem >&2
  printf "no end"
  sleep 4`

test(`${LINES} lines of a container through files of 100 KB`, async (t) => {
  const engine = await need(t, startDocker)
  if (engine === undefined) return
  t.after(() => engine.close())
  const { stdout } = await engine.docker(['info', '--format', '{{.DockerRootDir}}'])
  const tail = {
    // Docker rotates by rename, and a container that is quick fills several files before anybody looks.
    path: `${stdout.trim()}/containers/*/*-json.log*`,
    ...{ tag: 'docker.file', format: 'docker', read_from_head: true, refresh_interval: '1s' },
    ...{ path_key: 'file', multiline: { flush_interval: '1s' } },
  }
  const site = await createSite(t, { inputs: { tail }, outputs: { screen: { type: 'stdout', match: '**' } } })
  const program = await site.start()
  const logOptions = { 'max-size': '100k', 'max-file': '20' }
  const { code, stderr } = await engine.runContainer({
    command: ['sh', '-c', SCRIPT],
    ...{ logDriver: 'json-file', logOptions },
  })
  assert.equal(code, 0, stderr)
  const wanted = LINES + 3
  await program.until(`printing ${wanted} lines`, () => program.stdout.split('\n').length > wanted, 60_000)
  const events = program.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, string>)
  const texts = (stream: string) => events.filter((event) => event.stream === stream).map(({ log }) => log)
  const numbered = Array.from({ length: LINES }, (_, index) => `line ${index}`)
  // Files that are found at the same time are read side by side.
  assert.deepEqual(texts('stdout').sort(), [...numbered, 'x'.repeat(LONG_BYTES), 'no end'].sort())
  assert.deepEqual(texts('stderr'), ['problem'])
  assert.match(events[0]!.file!, /-json\.log/)
  assert.match(events[0]!['@timestamp']!, /^20\d\d-.*\.\d{9}Z$/)
})
