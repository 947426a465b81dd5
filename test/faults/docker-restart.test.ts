/** A real container goes on printing while the program is killed and stopped: every line arrives, and once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSite } from '../e2e/program.ts'
import { startBulkSink } from '../load/bulk-sink.ts'
import { need } from '../services/launchers/availability.ts'
import { startDocker } from '../services/launchers/docker.ts'

const LINES = 3_000
/** Slow enough to outlive the restarts: 10 s after a container has ended, its driver drops what it still holds. */
const SCRIPT = `
  i=0
  while [ $i -lt ${LINES} ]; do
    printf "line id=01-%09d of the container\\n" $i
    i=$((i+1))
    [ $((i % 20)) -eq 0 ] && sleep 0.1
  done
  exit 0`

test(`${LINES} lines of Docker's fluentd driver with acks, through a kill -9 and a TERM`, async (t) => {
  const engine = await need(t, startDocker)
  if (engine === undefined) return
  t.after(() => engine.close())
  const sink = await startBulkSink({ keyed: true })
  t.after(() => sink.close())
  const outputs = { sink: { type: 'elasticsearch', match: 'docker.**', url: sink.url, index: 'logs' } }
  const site = await createSite(t, { outputs })
  let program = await site.start()
  const logOptions = {
    'fluentd-address': `127.0.0.1:${site.forwardPort}`,
    'fluentd-request-ack': 'true',
    tag: 'docker.{{.Name}}',
  }
  const container = engine.runContainer({
    command: ['sh', '-c', SCRIPT],
    name: 'lines',
    logDriver: 'fluentd',
    logOptions,
  })
  const untilDelivered = (lines: number) =>
    program.until(`delivering ${lines} lines`, () => sink.stats.documents >= lines, 60_000)
  await untilDelivered(LINES / 6)
  await program.kill()
  program = await site.start()
  await untilDelivered(LINES / 2)
  assert.equal((await program.stop()).code, 0)
  program = await site.start()
  const { code, stderr } = await container
  assert.equal(code, 0, stderr)
  await program.untilDrained()
  assert.equal(sink.seen(1).indexOf(0), -1, 'the first number that is missing')
  assert.deepEqual([sink.stats.uniqueIds, sink.stats.duplicateIds], [LINES, 0])
})
