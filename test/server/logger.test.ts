import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { LogboomError } from '../../server/core/errors.ts'
import { createLogger, formatLine } from '../../server/logger.ts'

function record(options: { level?: string; isHuman?: boolean; isColored?: boolean } = {}) {
  const lines: string[] = []
  const log = createLogger({ level: 'info', isHuman: false, ...options, write: (line) => lines.push(line) })
  return { log, lines }
}

test('one JSON object a line: time, level, message and the fields', () => {
  const { log, lines } = record()
  log.child({ input: 'forward' }).warn({ peer: '10.0.0.4' }, 'a connection was closed')
  const { time, ...line } = JSON.parse(lines[0]!) as Record<string, string>
  assert.equal(new Date(time!).toISOString(), time)
  assert.deepEqual(line, { level: 'warn', input: 'forward', peer: '10.0.0.4', message: 'a connection was closed' })
  assert.match(lines[0]!, /\}\n$/)
})

test('what is below the level is not written', () => {
  const { log, lines } = record({ level: 'warn' })
  log.debug({}, 'a')
  log.info({}, 'b')
  log.error({}, 'c')
  assert.equal(lines.length, 1)
})

test('an error with a code is told in short, another with its stack', () => {
  const { log, lines } = record()
  const cause = new Error('refused')
  log.error({ err: new LogboomError('LB-S005', { url: 'u', reason: 'r' }, { cause }) }, 'x')
  log.error({ err: new TypeError('broken') }, 'x')
  const [known, unknown] = lines.map((line) => (JSON.parse(line) as { err: { stack?: string } }).err)
  assert.deepEqual(known, { message: 'no Logboom answers on u: r', code: 'LB-S005', cause: 'refused' })
  assert.match(unknown?.stack ?? '', /TypeError: broken\n/)
})

test('for a person: a short line', () => {
  const { log, lines } = record({ isHuman: true, isColored: true })
  log.info({ input: 'forward', reason: 'two words', count: 3, at: { a: 1 } }, 'listens')
  const plain = stripVTControlCharacters(lines[0]!)
  assert.notEqual(plain, lines[0])
  assert.match(plain, /^\d\d:\d\d:\d\d info {2}listens {2}input=forward reason="two words" count=3 at=\{"a":1\}\n$/)
})

test('for a person: no sender can colour or forge a line', () => {
  const json = JSON.stringify({ time: 0, level: 'warn', message: 'a\u001b[2J', peer: 'b\nc', tag: '\u009b31m\u202e' })
  const line = formatLine(json, false)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  assert.doesNotMatch(line.slice(0, -1), /[\u0000-\u001f\u007f-\u009f\u202e]/)
})
