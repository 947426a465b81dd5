import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VERSION } from '../../server/version.ts'
import { runProgram } from './run-program.ts'

test('no verb and `run` start the server, with the configuration that is named before or after the verb', async () => {
  const table: [string[], object][] = [
    [[], {}],
    [['run'], {}],
    [['-c', 'a.yaml'], { config: 'a.yaml' }],
    [['run', '-c', 'a.yaml'], { config: 'a.yaml' }],
    [['--config', 'a.yaml', 'run'], { config: 'a.yaml' }],
  ]
  for (const [words, options] of table) {
    assert.deepEqual(
      await runProgram(...words),
      { exitCode: 0, output: '', talk: '', started: options },
      words.join(' '),
    )
  }
})

test('help and version are data', async () => {
  const help = await runProgram('--help')
  assert.deepEqual([help.exitCode, help.talk], [0, ''])
  const verbs = [
    'run',
    'validate',
    'test',
    'config',
    'schema',
    'send',
    'tail',
    'query',
    'status',
    'healthcheck',
    'explain',
  ]
  for (const verb of verbs) assert.match(help.output, new RegExp(`^ {2}${verb}\\b`, 'm'))
  assert.deepEqual(await runProgram('--version'), { exitCode: 0, output: `${VERSION}\n`, talk: '', started: undefined })
})

test('wrong usage is 64, is said on stderr, and starts nothing', async () => {
  const table: [string[], RegExp][] = [
    [['tial'], /LB-S006 {2}there is no verb `tial`; did you mean `tail`\?/],
    [['colour'], /LB-S006 {2}there is no verb `colour`\n/],
    [['run', 'now'], /there is no verb `now`/],
    [['--nope'], /unknown option '--nope'/],
    [['validate', '--format', 'xml'], /Allowed choices are text, json, github/],
    [['-c'], /argument missing/],
    [['explain'], /missing required argument 'code'/],
    [['config'], /Usage: logboom config/],
  ]
  for (const [words, said] of table) {
    const { exitCode, output, talk, started } = await runProgram(...words)
    assert.deepEqual([exitCode, output, started], [64, '', undefined], words.join(' '))
    assert.match(talk, said)
  }
})

test('explain prints an error of the table, with its placeholders', async () => {
  const { exitCode, output } = await runProgram('explain', 'lb-s001')
  assert.equal(exitCode, 0)
  assert.equal(
    output,
    'LB-S001 PortTaken\n\n  {address} is taken by another process\n' +
      '  Stop it (`ss -ltnp` shows it), or set another port at `{key}`.\n\nIt ends the process with exit code 78.\n',
  )
  const wrong = await runProgram('explain', 'LB-X001')
  assert.deepEqual([wrong.exitCode, wrong.output], [64, ''])
  assert.match(wrong.talk, /there is no error `LB-X001`; did you mean LB-/)
})
