import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createPairsParser, parseLogfmt } from '../../../../server/delivery/filters/parse/key-value.ts'
import { parseSyslogLine } from '../../../../server/delivery/filters/parse/syslog-line.ts'
import { parseApache, parseApacheError, parseNginx } from '../../../../server/delivery/filters/parse/web-logs.ts'
import { makeBatch } from '../../../conformance/make-batch.ts'
import { chainOf, outOf } from '../chain-under-test.ts'

const REQUEST = { method: 'GET', path: '/a?b=c', code: 200, size: 612 }

const LINES: readonly [string, (text: string) => unknown, string, object | undefined][] = [
  [
    'nginx, combined',
    parseNginx,
    '172.17.0.1 - - [20/Nov/2026:12:00:00 +0100] "GET /a?b=c HTTP/1.1" 200 612 "-" "curl/8.5.0"',
    { remote: '172.17.0.1', time: '20/Nov/2026:12:00:00 +0100', ...REQUEST, agent: 'curl/8.5.0' },
  ],
  [
    "nginx, the image's own format",
    parseNginx,
    '10.0.0.1 - bob [20/Nov/2026:12:00:00 +0000] "GET /a?b=c HTTP/2.0" 200 612 "https://x/" "Mozilla/5.0 (X11)" ' +
      '"1.2.3.4, 5.6.7.8"',
    {
      ...{ remote: '10.0.0.1', user: 'bob', time: '20/Nov/2026:12:00:00 +0000', ...REQUEST },
      ...{ referer: 'https://x/', agent: 'Mozilla/5.0 (X11)', http_x_forwarded_for: '1.2.3.4, 5.6.7.8' },
    },
  ],
  [
    'nginx, bytes of TLS on the plain port',
    parseNginx,
    '10.0.0.1 - - [20/Nov/2026:12:00:00 +0000] "\\x16\\x03\\x01" 400 157 "-" "-"',
    { remote: '10.0.0.1', time: '20/Nov/2026:12:00:00 +0000', method: '\\x16\\x03\\x01', code: 400, size: 157 },
  ],
  ['nginx, its error log', parseNginx, '2026/11/20 12:00:00 [error] 29#29: *1 open() failed', undefined],
  [
    'apache, common',
    parseApache,
    '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a?b=c HTTP/1.0" 200 612',
    { host: '127.0.0.1', user: 'frank', time: '10/Oct/2000:13:55:36 -0700', ...REQUEST },
  ],
  [
    'apache, combined, a quote in the agent',
    parseApache,
    '::1 - - [10/Oct/2000:13:55:36 -0700] "POST / HTTP/1.1" 304 - "http://x/" "a \\"b\\" c"',
    {
      ...{ host: '::1', time: '10/Oct/2000:13:55:36 -0700', method: 'POST', path: '/', code: 304 },
      ...{ referer: 'http://x/', agent: 'a \\"b\\" c' },
    },
  ],
  [
    'apache, a request that is none',
    parseApache,
    '1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "-" 408 0 "-" "-"',
    { host: '1.2.3.4', time: '10/Oct/2000:13:55:36 -0700', code: 408, size: 0 },
  ],
  [
    "apache 2.4's error log",
    parseApacheError,
    '[Fri Sep 09 10:42:29.902022 2011] [core:error] [pid 35708:tid 4328636416] [client 72.15.99.187:1] ' +
      'File does not exist: /x',
    {
      ...{ time: 'Sep 09 10:42:29.902022 2011', level: 'core:error', pid: '35708:tid 4328636416' },
      ...{ client: '72.15.99.187:1', message: 'File does not exist: /x' },
    },
  ],
  [
    'syslog, RFC 3164',
    parseSyslogLine,
    "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick",
    {
      ...{ priority: 34, time: 'Oct 11 22:14:15', host: 'mymachine', ident: 'su' },
      message: "'su root' failed for lonvick",
    },
  ],
  [
    "syslog, a line of /var/log/syslog's with a pid",
    parseSyslogLine,
    'Nov  2 03:04:05 web-1 sshd[812]: Accepted publickey for a from 10.0.0.1',
    {
      ...{ time: 'Nov  2 03:04:05', host: 'web-1', ident: 'sshd', pid: '812' },
      message: 'Accepted publickey for a from 10.0.0.1',
    },
  ],
  [
    'syslog, RFC 5424',
    parseSyslogLine,
    '<165>1 2003-10-11T22:14:15.003Z mymachine evntslog 7 ID47 [a@1 b="c\\"]d"][e@2] \ufeffAn event',
    {
      ...{ priority: 165, time: '2003-10-11T22:14:15.003Z', host: 'mymachine', ident: 'evntslog', pid: '7' },
      ...{ msgid: 'ID47', extradata: '[a@1 b="c\\"]d"][e@2]', message: 'An event' },
    },
  ],
  ['syslog, nothing but a text', parseSyslogLine, 'hello world', undefined],
  [
    'logfmt',
    parseLogfmt,
    'level=info msg="a \\"b\\" \\n c" dur=1.5ms empty= debug',
    { level: 'info', msg: 'a "b" \n c', dur: '1.5ms', empty: '', debug: true },
  ],
  ['logfmt, words only', parseLogfmt, 'hello world', undefined],
  ['logfmt, a quote that does not close', parseLogfmt, 'a="b', undefined],
  ['ltsv', createPairsParser('\t', ':'), 'host:1.2.3.4\ttime:[x:y]\tua:', { host: '1.2.3.4', time: '[x:y]', ua: '' }],
  ['pairs', createPairsParser('; ', '='), 'a=1; b=2=3; c', { a: '1', b: '2=3' }],
]

for (const [name, parse, line, expected] of LINES) {
  test(`reads ${name}`, () => {
    const parsed = parse(line) as [string, unknown][] | undefined
    assert.deepEqual(parsed && Object.fromEntries(parsed), expected)
  })
}

test('no format takes long over any text', () => {
  const nasty = fc.array(fc.constantFrom('"', '\\', ' ', ',', '[', ']', 'a=', '<1>1 ', '- ', '\n', ', a'), {
    maxLength: 300,
  })
  const parts = { minLength: 1, maxLength: 3 }
  fc.assert(
    fc.property(fc.array(nasty, parts), fc.constantFrom(...LINES), ([...all], [, parse, line]) => {
      for (const piece of all) parse(line + piece.join('').repeat(20))
    }),
  )
})

test('parse: fields beside those of the record, the time of the event, the field gone if asked', async () => {
  const { chain, reasons } = await chainOf('- { match: "**", parse: { format: nginx, remove_field: true } }')
  const log = '1.1.1.1 - - [20/Nov/2026:12:00:00 +0100] "GET / HTTP/1.1" 200 5 "-" "x"'
  const [read, odd] = outOf(
    chain.run(makeBatch([{ events: [{ record: { log, container_name: '/w' } }, { record: { log: '?' } }] }])),
  )
  assert.deepEqual(read!.record, {
    ...{ container_name: '/w', remote: '1.1.1.1', method: 'GET', path: '/', code: 200, size: 5, agent: 'x' },
  })
  assert.deepEqual([read!.seconds, read!.nanoseconds], [Date.UTC(2026, 10, 20, 11) / 1000, 0])
  assert.deepEqual(odd!.record, { log: '?', _filter_error: 'parse: `log` is not nginx' })
  assert.deepEqual(reasons, ['not_parsed'])
})

test('parse json: any value, exact integers, its own time, and __proto__ is a key like others', async () => {
  const { chain } = await chainOf('- parse: { format: json, time_key: ts, time_format: epoch_ms, reserve_data: false }')
  const log = '{"ts":1763640000123,"n":9007199254740993,"f":1.5,"a":[1,{"b":null}],"__proto__":{"x":1},"s":"é"}'
  const [event] = outOf(chain.run(makeBatch([{ events: [{ record: { log, gone: 1 } }] }])))
  assert.deepEqual([event!.seconds, event!.nanoseconds], [1_763_640_000, 123_000_000])
  const { n, f, a, s } = event!.record
  assert.deepEqual([n, f, a, s], [9_007_199_254_740_993n, 1.5, [1, { b: null }], 'é'])
  assert.ok(!('gone' in event!.record) && !('log' in event!.record))
  assert.equal(({} as { x?: number }).x, undefined)
})

test('parse: what is no map, too deep, or has a time that is none stays as it was', async () => {
  const { records, reasons } = await chainOf('- parse: { format: json, time_key: t }')
  const deep = `{"a":${'['.repeat(40)}${']'.repeat(40)}}`
  const wide = JSON.stringify(Object.fromEntries(Array.from({ length: 1_025 }, (_, n) => [`k${n}`, n])))
  assert.match(String(records({ log: wide })[0]!._filter_error), /too many keys/)
  reasons.length = 0
  const marked = records({ log: '[1]' }, { log: deep }, { log: '{"t":"yesterday"}' }, { log: 7n }, { other: 1 })
  assert.deepEqual(
    marked.map(({ _filter_error }) => _filter_error),
    [
      'parse: `log` is not json',
      'parse: it is nested too deeply or has too many keys',
      'parse: `t` is no time of the format',
      'parse: `log` is not json',
      undefined,
    ],
  )
  assert.deepEqual(reasons, ['not_parsed', 'too_large', 'bad_time', 'not_parsed'])
  assert.deepEqual([marked[1]!.log, marked[2]!.log], [deep, '{"t":"yesterday"}'])
})

test('parse regexp: named groups and types', async () => {
  const { records } = await chainOf(`- parse:
    format: regexp
    pattern: "^(?<level>\\\\w+) (?<n>\\\\d+) (?<f>\\\\S+) (?<ok>\\\\w+)(?: (?<rest>.*))?$"
    types: { n: integer, f: float, ok: bool, level: string }
    remove_field: true`)
  assert.deepEqual(records({ log: 'WARN 12345678901234567890 1e3 yes' }), [
    { level: 'WARN', n: 12_345_678_901_234_567_890n, f: 1000, ok: true },
  ])
})
