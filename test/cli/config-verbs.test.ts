/** `validate`, `config show`, `config reference` and `schema`, with the components that Logboom has. */
import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { withFiles } from '../config/load-text.ts'
import { runProgram } from './run-program.ts'

const FILES = {
  'good.yaml': `admin: { token: hunter2 }
inputs: { forward: { listen: 127.0.0.1:0 } }
outputs: { screen: { type: stdout }, again: { type: stdout } }
`,
  'bad.yaml': 'inputs: { forward: { lisen: 1 } }\noutputs: { stdout: { match: 5 } }\n',
}

const withFile = (name: keyof typeof FILES, use: (file: string) => Promise<void>) =>
  withFiles(FILES, (directory) => use(path.join(directory, name)))

test('validate says what a good file holds', () =>
  withFile('good.yaml', async (file) => {
    const { exitCode, output, talk } = await runProgram('validate', '-c', file)
    assert.deepEqual([exitCode, output, talk], [0, `✓ ${file}  1 input, 2 outputs\n`, ''])
    const json = await runProgram('validate', '-c', file, '--format', 'json')
    assert.deepEqual([json.exitCode, JSON.parse(json.output)], [0, { file, valid: true, problems: [] }])
    const github = await runProgram('validate', '-c', file, '--format', 'github')
    assert.deepEqual([github.exitCode, github.output], [0, ''])
  }))

test('validate explains every problem on stderr and ends with 78', () =>
  withFile('bad.yaml', async (file) => {
    const { exitCode, output, talk } = await runProgram('validate', '-c', file)
    assert.deepEqual([exitCode, output], [78, ''])
    assert.match(
      talk,
      /:1:22 {2}LB-C001 {2}unknown key `inputs.forward.lisen`\n.*\n.*\^{5}\n {4}Did you mean `listen`\?\n/,
    )
    assert.match(talk, /:2:29 {2}LB-C002 {2}`outputs.stdout.match` must be text, not the number 5\n/)
  }))

test('validate as JSON and as annotations is data on stdout', () =>
  withFile('bad.yaml', async (file) => {
    const json = await runProgram('validate', '-c', file, '--format', 'json')
    assert.deepEqual([json.exitCode, json.talk], [78, ''])
    const report = JSON.parse(json.output) as { valid: boolean; problems: object[] }
    assert.equal(report.valid, false)
    assert.deepEqual(report.problems[0], {
      ...{ code: 'LB-C001', message: 'unknown key `inputs.forward.lisen`', help: 'Did you mean `listen`?' },
      ...{ file, line: 1, column: 22, length: 5 },
    })
    const github = await runProgram('validate', '-c', file, '--format', 'github')
    assert.deepEqual([github.exitCode, github.talk], [78, ''])
    const [first] = github.output.split('\n')
    const text = 'unknown key `inputs.forward.lisen`. Did you mean `listen`?'
    assert.equal(first, `::error file=${file},line=1,col=22,title=LB-C001::${text}`)
  }))

test('a file that is not there is 78, in each format', async () => {
  for (const format of ['text', 'json', 'github']) {
    const { exitCode, output, talk } = await runProgram('validate', '-c', '/nowhere/a.yaml', '--format', format)
    assert.equal(exitCode, 78, format)
    assert.match(output + talk, /LB-C006/)
  }
})

test('config show prints YAML without the secrets, and with the default of every key', () =>
  withFile('good.yaml', async (file) => {
    const { exitCode, output, talk } = await runProgram('config', 'show', '-c', file)
    assert.deepEqual([exitCode, talk], [0, ''])
    assert.doesNotMatch(output, /hunter2/)
    const shown = parse(output) as { admin: object; outputs: { screen: object } }
    assert.deepEqual(shown.admin, { listen: '127.0.0.1:8686', token: '***' })
    assert.ok('batch' in shown.outputs.screen)
  }))

test('schema prints JSON, config reference Markdown', async () => {
  const schema = await runProgram('schema')
  assert.equal(schema.exitCode, 0)
  assert.equal((JSON.parse(schema.output) as { $schema: string }).$schema, 'http://json-schema.org/draft-07/schema#')
  const reference = await runProgram('config', 'reference')
  assert.equal(reference.exitCode, 0)
  assert.match(reference.output, /^# Configuration\n/)
})
