/** What the decoders make of a file's bytes: the same events, however the reads cut them. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RE2JS } from 're2js'
import { ContainerDecoder } from '../../../protocols/tail/container-decoder.ts'
import { dockerLineReader, readCriLine } from '../../../protocols/tail/container-line.ts'
import type { Decoder } from '../../../protocols/tail/decoder.ts'
import { type DecoderOptions, jsonWriter, LineDecoder, messageWriter } from '../../../protocols/tail/line-decoder.ts'
import { MultilineDecoder } from '../../../protocols/tail/multiline-decoder.ts'
import { placeAt } from '../../../protocols/tail/place.ts'
import { decodeInReads, decodeOnce, NOW_MS } from './decoding.ts'

const PLAIN: DecoderOptions = { lineBytes: 1_000, path: undefined }
const WITH_PATH: DecoderOptions = { ...PLAIN, path: { key: Buffer.from('file'), path: Buffer.from('/var/log/a') } }
const lines = (options = PLAIN) => new LineDecoder(options, messageWriter(options.path))
const json = (options = PLAIN) => new LineDecoder(options, jsonWriter(options.path))
const docker = (options = PLAIN) => new ContainerDecoder(options, dockerLineReader())
const cri = (options = PLAIN) => new ContainerDecoder(options, readCriLine)
function multiline(options = PLAIN) {
  const pattern = RE2JS.compile('^\\d+ ')
  return new MultilineDecoder(options, (line) => pattern.test(line), messageWriter(options.path))
}

/** The records of one read of everything; each way to cut it into two or three reads must give the same. */
function recordsOf(make: () => Decoder, text: string | Buffer): Record<string, unknown>[] {
  const file = Buffer.from(text)
  const whole = decodeInReads(make, file, [])
  for (let cut = 0; cut <= file.length; cut += 1) {
    assert.deepEqual(decodeInReads(make, file, [cut]), whole, `cut at ${cut}`)
    assert.deepEqual(decodeInReads(make, file, [cut, Math.min(cut + 7, file.length)]), whole, `cut at ${cut}, twice`)
  }
  assert.deepEqual(decodeInReads(make, file, [...file.keys()]), whole, 'byte by byte')
  return whole.map(({ record }) => record)
}

const messages = (make: () => Decoder, text: string | Buffer) => recordsOf(make, text).map(({ message }) => message)

describe('format none', () => {
  test('each line is a message, empty ones too; the last may lack its newline', () => {
    assert.deepEqual(messages(lines, 'one\n\ntwo ü 你\nthree'), ['one', '', 'two ü 你', 'three'])
    assert.deepEqual(messages(lines, ''), [])
  })

  test('a carriage return before the newline goes with it; another stays', () => {
    assert.deepEqual(messages(lines, 'one\r\ntwo\rthree\r\r\n\r\nfour\r'), ['one', 'two\rthree\r', '', 'four\r'])
  })

  test('bytes that are no UTF-8 stay as they are', () => {
    const file = Buffer.from([0x61, 0xff, 0xfe, 0x0a])
    const { events } = decodeOnce(lines(), file, file.length, placeAt(0))
    assert.equal(events[0]!.record.message, Buffer.from([0x61, 0xff, 0xfe]).toString())
  })

  test('the time is that of reading, and path_key adds the path', () => {
    const file = Buffer.from('x\n')
    const [event] = decodeOnce(lines(WITH_PATH), file, file.length, placeAt(0)).events
    assert.deepEqual(event, {
      time: `${Math.floor(NOW_MS / 1000)}.250000000`,
      record: { message: 'x', file: '/var/log/a' },
    })
  })

  test('a line longer than it may be comes in pieces, none within a character', () => {
    const short = () => lines({ ...PLAIN, lineBytes: 10 })
    const text = `${'ü'.repeat(13)}x\n${'a'.repeat(10)}\n${'b'.repeat(11)}\n`
    assert.deepEqual(messages(short, text), ['ü'.repeat(5), 'ü'.repeat(5), 'üüüx', 'a'.repeat(10), 'b'.repeat(10), 'b'])
  })

  test('a line without end waits, and its place is where it begins', () => {
    const file = Buffer.from('one\ntw')
    const open = decodeOnce(lines(), file, file.length, placeAt(0))
    assert.deepEqual([open.events.length, open.place.offset], [1, 4])
    assert.equal(decodeOnce(lines(), file, file.length, open.place, 'idle').events.length, 0)
  })
})

describe('format json', () => {
  test('an object is the record, integers of 64 bits exact; what is none is a message', () => {
    const text = '{"a":1,"b":{"c":[true,null]}}\nplain\n{"a":\n[1]\n{"a":1} x\n{"a":"\\n"}\n'
    assert.deepEqual(recordsOf(json, text), [
      { a: 1, b: { c: [true, null] } },
      { message: 'plain' },
      { message: '{"a":' },
      { message: '[1]' },
      { message: '{"a":1} x' },
      { a: '\n' },
    ])
  })

  for (const pairs of [0, 1, 14, 15, 16, 300]) {
    test(`path_key is one pair more than ${pairs}`, () => {
      const record = Object.fromEntries(Array.from({ length: pairs }, (_, index) => [`k${index}`, index]))
      const file = Buffer.from(`${JSON.stringify(record)}\n{}\n`)
      const { events } = decodeOnce(json({ ...WITH_PATH, lineBytes: 10_000 }), file, file.length, placeAt(0))
      assert.deepEqual(
        events.map((event) => event.record),
        [{ ...record, file: '/var/log/a' }, { file: '/var/log/a' }],
      )
    })
  }
})

describe('multiline', () => {
  test('an event has all lines up to the next first one; what stands before is an event too', () => {
    const text = 'before\nit\n1 one\n  at\n  at\n2 two\r\n3 three\r\n  more'
    assert.deepEqual(messages(multiline, text), ['before\nit', '1 one\n  at\n  at', '2 two', '3 three\r\n  more'])
  })

  test('the last event waits for more lines until nothing comes for a while', () => {
    const file = Buffer.from('1 one\n  at\n')
    const open = decodeOnce(multiline(), file, file.length, placeAt(0))
    assert.deepEqual([open.events.length, open.place.offset], [0, 0])
    const idle = decodeOnce(multiline(), file, file.length, open.place, 'idle')
    assert.deepEqual(
      idle.events.map(({ record }) => record.message),
      ['1 one\n  at'],
    )
    assert.equal(idle.place.offset, file.length)
  })

  test('a line without end is not part of what is ended', () => {
    const file = Buffer.from('1 one\n  a')
    const idle = decodeOnce(multiline(), file, file.length, placeAt(0), 'idle')
    assert.deepEqual([idle.events[0]!.record.message, idle.place.offset], ['1 one', 6])
  })
})

const dockerLine = (log: string, stream = 'stdout', more = '') =>
  `{"log":${JSON.stringify(log)},"stream":"${stream}"${more},"time":"2026-11-25T18:00:00.123456789Z"}\n`

describe('format docker', () => {
  test('log, stream and time; what does not end in a newline goes on in the next of its stream', () => {
    const text = [
      dockerLine('one\n'),
      dockerLine('a long '),
      dockerLine('error\n', 'stderr'),
      dockerLine('part of '),
      dockerLine('err ', 'stderr'),
      dockerLine('one\n'),
      dockerLine('err\n', 'stderr'),
      dockerLine('the end'),
    ].join('')
    assert.deepEqual(recordsOf(docker, text), [
      { log: 'one', stream: 'stdout' },
      { log: 'error', stream: 'stderr' },
      { log: 'a long part of one', stream: 'stdout' },
      { log: 'err err', stream: 'stderr' },
      { log: 'the end', stream: 'stdout' },
    ])
  })

  test("the time is the first piece's, attrs are kept, keys may stand in any order", () => {
    const first = dockerLine('a', 'stdout', `,"attrs":{"k":"v"}`)
    const text = `${first}{"time":"2026-11-25T19:00:01Z","stream":"stdout","log":"b\\n"}\n`
    const file = Buffer.from(text)
    const { events } = decodeOnce(docker(WITH_PATH), file, file.length, placeAt(0))
    const seconds = Date.UTC(2026, 10, 25, 18) / 1_000
    const record = { log: 'ab', stream: 'stdout', attrs: { k: 'v' }, file: '/var/log/a' }
    assert.deepEqual(events, [{ time: `${seconds}.123456789`, record }])
  })

  test('what Docker did not write is kept as it is', () => {
    const odd = ['not json', '{"log":1,"stream":"stdout","time":"2026-11-25T18:00:00Z"}', '{"log":"x"}', '\0\0']
    const text = `${dockerLine('open')}${odd.join('\n')}\n${dockerLine(' closed\n')}`
    const expected = [...odd.map((log) => ({ log })), { log: 'open closed', stream: 'stdout' }]
    assert.deepEqual(recordsOf(docker, text), expected)
  })

  test('pieces that wait are ended when nothing comes, the older first', () => {
    const file = Buffer.from(dockerLine('one', 'stderr') + dockerLine('two'))
    const open = decodeOnce(docker(), file, file.length, placeAt(0))
    assert.deepEqual([open.events.length, open.place.held[1], open.place.held[0] > 0], [0, 0, true])
    const idle = decodeOnce(docker(), file, file.length, open.place, 'idle')
    assert.deepEqual(
      idle.events.map(({ record }) => record.log),
      ['one', 'two'],
    )
    assert.deepEqual(idle.place.held, [-1, -1])
  })
})

const criLine = (text: string, stream = 'stdout', tag = 'F') => `2026-11-25T20:00:00.5+02:00 ${stream} ${tag} ${text}\n`

describe('format cri', () => {
  test('pieces are joined by stream', () => {
    const text = [
      criLine('one'),
      criLine('a ', 'stdout', 'P'),
      criLine('b', 'stderr'),
      criLine('c ', 'stdout', 'P:x'),
      criLine('d'),
      criLine(''),
      '2026-11-25T20:00:00.5+02:00 stderr F\n',
      'odd line\n',
      criLine('e', 'stdin'),
      criLine('last', 'stderr', 'P'),
    ].join('')
    assert.deepEqual(recordsOf(cri, text), [
      { log: 'one', stream: 'stdout' },
      { log: 'b', stream: 'stderr' },
      { log: 'a c d', stream: 'stdout' },
      { log: '', stream: 'stdout' },
      { log: '', stream: 'stderr' },
      { log: 'odd line' },
      { log: '2026-11-25T20:00:00.5+02:00 stdin F e' },
      { log: 'last', stream: 'stderr' },
    ])
  })

  test('its time has a zone', () => {
    const file = Buffer.from(criLine('x'))
    const [event] = decodeOnce(cri(), file, file.length, placeAt(0)).events
    assert.equal(event!.time, `${Date.UTC(2026, 10, 25, 18) / 1_000}.500000000`)
  })

  test('a time that is none makes it a line like any other', () => {
    const zoneless = ['2026-11-25T20:00:00X', '2026-11-25T20:00:00.5', '2026-11-25T20:00:00+2:00']
    const wrong = ['2026-13-05T00:00:00Z', '2026-11-25T24:00:00Z', '2026/11/25T00:00:00Z', '1960-01-01T00:00:00Z', '']
    for (const time of [...zoneless, ...wrong]) {
      const line = `${time} stdout F x`
      const { events } = decodeOnce(cri(), Buffer.from(`${line}\n`), line.length + 1, placeAt(0))
      assert.deepEqual(events[0]!.record, { log: line })
    }
  })
})
