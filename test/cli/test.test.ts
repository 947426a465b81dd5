/** `logboom test`, with the filters that Logboom has. */
import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { withFiles } from '../config/load-text.ts'
import { runProgram } from './run-program.ts'

const HEAD = `inputs: {}
outputs: { stdout: {} }
filters:
  - { match: docker.**, join: docker }
  - { match: docker.**, grep: { exclude: [{ key: log, pattern: health }] } }
  - { match: docker.app, parse: { format: logfmt, time_key: ts, remove_field: true } }
tests:
`
const GOOD = `  - { name: health checks are dropped, input: { tag: docker.a, record: { log: /health } }, dropped: true }
  - name: logfmt is read
    input: { tag: docker.app, record: { log: "ts=2026-11-20T12:00:00Z level=info n=1" } }
    expect: { record: { n: "1", level: info }, time: "2026-11-20T12:00:00Z" }
  - name: a long line is joined
    input:
      - { tag: docker.a, record: { log: a, partial_message: "true", partial_id: p, partial_ordinal: "1" } }
      - { tag: docker.a, record: { log: b, partial_message: "true", partial_id: p, partial_ordinal: "2" } }
    expect: [{ record: { log: ab } }]
`
const BAD = `  - { name: wrong, input: { tag: docker.web, record: { log: x } }, expect: { record: { log: y } } }
  - { name: not dropped, input: { tag: docker.web, record: { log: x } }, dropped: true }
`

const run = (cases: string) =>
  withFiles({ 'logboom.yaml': HEAD + cases }, (directory) =>
    runProgram('test', '-c', path.join(directory, 'logboom.yaml')),
  )

test('cases that hold: what waits comes out at the end, exit code 0', async () => {
  const { exitCode, output, talk } = await run(GOOD)
  const names = ['health checks are dropped', 'logfmt is read', 'a long line is joined']
  assert.deepEqual([exitCode, output, talk], [0, `${names.map((it) => `✓ ${it}\n`).join('')}3 passed\n`, ''])
})

test('a case that does not hold shows the difference and its place, exit code 1', async () => {
  const { exitCode, output } = await run(BAD)
  assert.equal(exitCode, 1)
  const [first, ...lines] = output.split('\n')
  assert.match(first!, /^✗ wrong {2}.*logboom\.yaml:8$/)
  const difference = ['  {', '    "tag": "docker.web",', '    "record": {', '-     "log": "y"', '+     "log": "x"']
  assert.deepEqual(
    lines.slice(0, 5),
    difference.map((line) => `    ${line}`),
  )
  assert.equal(lines.at(-2), '2 of 2 failed')
})

test('without cases it says so', async () => {
  const { exitCode, output } = await run('')
  assert.deepEqual([exitCode, output], [0, 'no cases: add some under `tests`\n'])
})
