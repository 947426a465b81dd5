import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { EntryWriter } from '../../../protocols/encoding/entry-writer.ts'
import { BsdTime, parseZone } from '../../../protocols/syslog/bsd-time.ts'
import { SyslogEntries } from '../../../protocols/syslog/entry.ts'
import { createSyslogMessage, parseSyslog } from '../../../protocols/syslog/message.ts'
import { SCAN_LIMITS } from '../../../server/core/msgpack.ts'
import { checkEntries, createEntriesCheck } from '../../../server/core/packed-entries.ts'
import { eventsOf, NOON_MS } from '../input-rig.ts'

const entries = new SyslogEntries(192)
const message = createSyslogMessage()

function packedOf(text: string | Uint8Array, nowMs = NOON_MS, zone = 'utc'): Uint8Array {
  const bytes = Buffer.concat([Buffer.from('xx'), Buffer.from(text as string), Buffer.from('>1 <13>')])
  const to = new EntryWriter(64)
  parseSyslog(bytes, 2, bytes.length - 7, nowMs, { bsdTime: new BsdTime(parseZone(zone)) }, message)
  entries.write(bytes, message, Math.max(message.priority, 0), nowMs, to)
  return to.bytes.subarray(0, to.length)
}

function eventOf(text: string | Uint8Array, nowMs?: number, zone?: string) {
  const [event] = eventsOf('', packedOf(text, nowMs, zone))
  return { time: event!.time, ...event!.record }
}

const secondsOf = (iso: string) => `${Date.parse(iso) / 1_000}.000000000`
const daemonErr = { priority: 27, facility: 'daemon', severity: 'err' }
const userNotice = { priority: 13, facility: 'user', severity: 'notice' }

const TABLE: readonly [string, string | Buffer, object][] = [
  [
    'RFC 3164, example 1',
    "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
    {
      time: secondsOf('2026-10-11T22:14:15Z'),
      message: "'su root' failed for lonvick on /dev/pts/8",
      host: 'mymachine',
      ident: 'su',
      priority: 34,
      facility: 'auth',
      severity: 'crit',
    },
  ],
  [
    'a pid, a day of one digit, a line end',
    '<27>Nov  5 01:02:03 web cron[4321]: ran \r\n',
    { time: secondsOf('2026-11-05T01:02:03Z'), message: 'ran ', host: 'web', ident: 'cron', pid: '4321', ...daemonErr },
  ],
  [
    'no host, as from /dev/log',
    '<13>Nov 25 11:00:00 app[12]: text',
    { time: secondsOf('2026-11-25T11:00:00Z'), message: 'text', ident: 'app', pid: '12', ...userNotice },
  ],
  [
    'no tag: nothing of the text is lost',
    '<13>Nov 25 11:00:00 host it happened at 12:30',
    { time: secondsOf('2026-11-25T11:00:00Z'), message: 'it happened at 12:30', host: 'host', ...userNotice },
  ],
  [
    'a year and milliseconds',
    '<13>Nov 25 2024 11:00:00.123 host a: b',
    {
      time: `${Date.parse('2024-11-25T11:00:00Z') / 1_000}.123000000`,
      message: 'b',
      host: 'host',
      ident: 'a',
      ...userNotice,
    },
  ],
  [
    'logspout, rfc3164 with a time of RFC 3339',
    '<14>2026-11-25T12:03:04+01:00 host web[7]: hello\n',
    {
      time: secondsOf('2026-11-25T11:03:04Z'),
      message: 'hello',
      host: 'host',
      ident: 'web',
      pid: '7',
      priority: 14,
      facility: 'user',
      severity: 'info',
    },
  ],
  [
    'RFC 5424, example 1, with its BOM',
    "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \ufeff'su root' failed",
    {
      time: `${Date.parse('2003-10-11T22:14:15Z') / 1_000}.003000000`,
      message: "'su root' failed",
      host: 'mymachine.example.com',
      ident: 'su',
      msgid: 'ID47',
      priority: 34,
      facility: 'auth',
      severity: 'crit',
    },
  ],
  [
    'RFC 5424, example 4: structured data without a message',
    '<165>1 2003-10-11T22:14:15.003Z host app 8710 ID47 [ex@32473 iut="3" s="App"][prio@32473 class="high"]',
    {
      time: `${Date.parse('2003-10-11T22:14:15Z') / 1_000}.003000000`,
      message: '',
      host: 'host',
      ident: 'app',
      pid: '8710',
      msgid: 'ID47',
      structured_data: { 'ex@32473': { iut: '3', s: 'App' }, 'prio@32473': { class: 'high' } },
      priority: 165,
      facility: 'local4',
      severity: 'notice',
    },
  ],
  [
    'escapes, an empty element, the same name twice',
    '<13>1 2026-11-25T11:00:00Z h a - - [e][x k="\\"q\\" \\\\ \\] \\n" k2="1" k2="2"] m',
    {
      time: secondsOf('2026-11-25T11:00:00Z'),
      message: 'm',
      host: 'h',
      ident: 'a',
      structured_data: { e: {}, x: { k: '"q" \\ ] \\n', k2: '2' } },
      ...userNotice,
    },
  ],
  [
    'no time, no parts: the time of receipt',
    '<13>1 - - - - - - only text',
    { time: secondsOf('2026-11-25T12:00:00Z'), message: 'only text', ...userNotice },
  ],
  [
    'structured data that does not close is text',
    '<13>1 2026-11-25T11:00:00Z h a - - [x k="1" m',
    { time: secondsOf('2026-11-25T11:00:00Z'), message: '[x k="1" m', host: 'h', ident: 'a', ...userNotice },
  ],
  [
    'logspout: a message of several lines',
    '<11>1 2026-11-25T11:00:00Z h web 42 - - at a\n  at b\n',
    {
      time: secondsOf('2026-11-25T11:00:00Z'),
      message: 'at a\n  at b',
      host: 'h',
      ident: 'web',
      pid: '42',
      priority: 11,
      facility: 'user',
      severity: 'err',
    },
  ],
  [
    'no time that can be read',
    '<27>hello there',
    { time: secondsOf('2026-11-25T12:00:00Z'), message: 'hello there', ...daemonErr },
  ],
  [
    'a PRI that is too high is text',
    '<192>Nov 25 11:00:00 h a: b',
    {
      time: secondsOf('2026-11-25T12:00:00Z'),
      message: '<192>Nov 25 11:00:00 h a: b',
      priority: 0,
      facility: 'kern',
      severity: 'emerg',
    },
  ],
]

describe('a syslog message', () => {
  for (const [name, text, expected] of TABLE) it(name, () => assert.deepEqual(eventOf(text), expected))

  it('keeps bytes that are no UTF-8', () => {
    const packed = packedOf(Buffer.concat([Buffer.from('<13>Nov 25 11:00:00 h a: '), Buffer.of(0xff, 0xfe)]))
    assert.ok(Buffer.from(packed).includes(Buffer.of(0xa7, ...Buffer.from('message'), 0xa2, 0xff, 0xfe)))
  })

  it('is an event however it is cut or changed', () => {
    const texts = TABLE.map(([, text]) => Buffer.from(text as string))
    const mutated = fc.tuple(fc.constantFrom(...texts), fc.nat(200), fc.nat(200), fc.uint8Array({ maxLength: 4 }))
    fc.assert(
      fc.property(mutated, ([text, from, length, more]) => {
        const bytes = Buffer.concat([text.subarray(0, from), more, text.subarray(from + length)])
        const packed = packedOf(bytes)
        const check = createEntriesCheck()
        checkEntries(packed, 0, packed.length, SCAN_LIMITS, check)
        assert.deepEqual([check.count, check.bad, check.at], [1, 0, packed.length])
      }),
      { numRuns: 3_000 },
    )
  })
})

describe('a time without year and zone', () => {
  const timeAt = (stamp: string, now: string, zone = 'utc') =>
    new Date(Number(eventOf(`<13>${stamp} h a: b`, Date.parse(now), zone).time) * 1_000).toISOString()

  for (const [stamp, now, time] of [
    ['Dec 31 23:59:59', '2027-01-01T00:00:01Z', '2026-12-31T23:59:59.000Z'],
    ['Jan  1 00:00:01', '2026-12-31T23:59:59Z', '2027-01-01T00:00:01.000Z'],
    ['Jul  5 12:00:00', '2026-12-31T23:59:59Z', '2026-07-05T12:00:00.000Z'],
    ['Feb 29 12:00:00', '2028-03-01T00:00:00Z', '2028-02-29T12:00:00.000Z'],
    ['Feb 29 12:00:00', '2029-01-15T00:00:00Z', '2028-02-29T12:00:00.000Z'],
  ] as const) {
    it(`${stamp} that comes at ${now} is ${time}`, () => assert.equal(timeAt(stamp, now), time))
  }
  it('is of the zone that was configured', () => {
    assert.equal(timeAt('Nov 25 12:00:00', '2026-11-25T12:00:00Z', '+05:30'), '2026-11-25T06:30:00.000Z')
    assert.equal(timeAt('Nov 25 12:00:00', '2026-11-25T12:00:00Z', '-08:00'), '2026-11-25T20:00:00.000Z')
  })
  it('is of the zone of this machine', () => {
    const local = new Date(2026, 10, 25, 12).toISOString()
    assert.equal(timeAt('Nov 25 12:00:00', '2026-11-25T12:00:00Z', 'local'), local)
  })
  it('of a day that no year nearby has makes the text a message', () => {
    assert.equal(
      (eventOf('<13>Feb 29 12:00:00 h a: b', Date.parse('2026-07-01T00:00:00Z')) as { message?: string }).message,
      'Feb 29 12:00:00 h a: b',
    )
  })
})
