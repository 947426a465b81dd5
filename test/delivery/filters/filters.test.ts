import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { EventTime, makeBatch } from '../../conformance/make-batch.ts'
import { chainOf, faultsOf, outOf } from './chain-under-test.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

test('a stream that no filter matches is the same object, and a filter that changes nothing gives views', async () => {
  const { chain } = await chainOf('- { match: a.**, grep: { exclude: [{ key: log, pattern: drop }] } }')
  const events = ['x', 'drop', 'y', 'z'].map((log) => ({ record: { log } }))
  const batch = makeBatch([
    { tag: 'b', events },
    { tag: 'a.b', events, position: 10, idIndex: 3 },
  ])
  const { batch: out, dropped } = chain.run(batch)
  assert.equal(out.streams[0], batch.streams[0])
  assert.deepEqual(
    out.streams.slice(1).map(({ position, idIndex, count }) => [position, idIndex, count]),
    [
      [10, 3, 1],
      [12, 5, 2],
    ],
  )
  assert.ok(out.streams.every(({ packed }) => packed.buffer === batch.streams[0]!.packed.buffer || packed.length > 0))
  assert.equal(out.streams[2]!.packed.buffer, batch.streams[1]!.packed.buffer)
  assert.deepEqual([dropped, out.count, out.from, out.to], [1, 7, batch.from, batch.to])
})

test('grep: every regexp must match and no exclude; a field that is not there is as an empty one', async () => {
  const { records } = await chainOf(`- grep:
    regexp: [{ key: level, pattern: "^(warn|error)$" }, { key: $.app.name, pattern: "." }]
    exclude: [{ key: log, pattern: "(?i)HEALTH" }]`)
  const app = { name: 'web' }
  const kept = records(
    { level: 'warn', app, log: 'a' },
    { level: 'info', app, log: 'b' },
    { level: 'error', app: {}, log: 'c' },
    { level: 'error', app, log: 'GET /health' },
    { level: 'error', app },
  )
  assert.deepEqual(kept, [
    { level: 'warn', app, log: 'a' },
    { level: 'error', app },
  ])
})

test('record: keep, remove, rename, add, and templates of the event as it came', async () => {
  const { records } = await chainOf(`- record:
    keep: [log, level, meta, n]
    remove: [$.meta.secret]
    rename: { log: message }
    add:
      { service: "{tag[-1]} of {tag}", was: "{record.log}", copy: "{record.n}", lost: "{record.none}", on: true, v: 2,
        $.meta.env: "{{x}}" }`)
  const [record] = records({ log: 'hi', level: 'info', n: 2n ** 60n, gone: 1, meta: { secret: 's', a: 1 } })
  assert.deepEqual(record, {
    message: 'hi',
    level: 'info',
    n: 2n ** 60n,
    meta: { a: 1, env: '{x}' },
    service: 'web of docker.web',
    was: 'hi',
    copy: 2n ** 60n,
    on: true,
    v: 2,
  })
})

test('what a filter does not name keeps its bytes: int64, EventTime, invalid UTF-8, odd and double keys', async () => {
  const { chain } = await chainOf('- record: { add: { env: x } }')
  const odd = Buffer.concat([
    Buffer.from('87', 'hex'),
    Buffer.from('a161cf0fffffffffffffff', 'hex'),
    Buffer.from('a162d70000000001000000ff', 'hex'),
    Buffer.from('a163a2ff80', 'hex'),
    Buffer.from('c40164c0', 'hex'),
    Buffer.from('0593010203', 'hex'),
    Buffer.from('a161a178', 'hex'),
    Buffer.concat([Buffer.from('a9', 'hex'), Buffer.from('__proto__'), Buffer.from('81a17801', 'hex')]),
  ])
  const { batch } = chain.run(makeBatch([{ events: [{ time: new EventTime(7, 9), record: odd }] }]))
  const expected = `92d7000000000700000009${hex(odd).replace(/^87/, '88')}a3656e76a178`
  assert.equal(hex(batch.streams[0]!.packed), expected)
})

test('a key that comes twice is set once, and removed as often as it is there', async () => {
  const twice = Buffer.from('83a16101a162a179a16102', 'hex')
  const set = await chainOf('- record: { add: { a: 3 } }')
  assert.equal(hex(set.run(twice).batch.streams[0]!.packed).slice(22), '82a162a179a16103')
  const removed = await chainOf('- record: { remove: [a] }')
  assert.equal(hex(removed.run(twice).batch.streams[0]!.packed).slice(22), '81a162a179')
  const renamed = await chainOf('- record: { rename: { b: a } }')
  assert.equal(hex(renamed.run(twice).batch.streams[0]!.packed).slice(22), '81a161a179')
})

test('rewrite_tag: the first rule that holds; later filters match the new tag', async () => {
  const { chain, reasons } = await chainOf(`- match: docker.**
  rewrite_tag:
    rules:
      - { key: log, pattern: "^(?P<level>\\\\w+): (\\\\d)", tag: 'app.{match["level"]}.{match[2]}' }
      - { key: log, pattern: "^quiet", invert: true, tag: "other.{tag[1..]}" }
- { match: app.ERROR.*, record: { add: { page: true } } }`)
  const logs = ['ERROR: 5', 'hello', 'quiet please', `ERROR: 7`]
  const out = outOf(chain.run(makeBatch([{ tag: 'docker.web', events: logs.map((log) => ({ record: { log } })) }])))
  assert.deepEqual(
    out.map(({ tag, record }) => [tag, record.page]),
    [
      ['app.ERROR.5', true],
      ['other.web', undefined],
      ['docker.web', undefined],
      ['app.ERROR.7', true],
    ],
  )
  assert.deepEqual(reasons, [])
})

test('a tag that cannot be one leaves the event as it was, marked and counted, and the others go on', async () => {
  const { chain, reasons } = await chainOf(
    '- rewrite_tag: { rules: [{ tag: "{record.to}" }] }\n- record: { add: { x: 1 } }',
  )
  const out = outOf(chain.run(makeBatch([{ tag: 'a', events: [{ record: {} }, { record: { to: 'b' } }] }])))
  assert.deepEqual(
    out.map(({ tag, record }) => [tag, record]),
    [
      ['a', { _filter_error: 'rewrite_tag: the tag is empty', x: 1 }],
      ['b', { to: 'b', x: 1 }],
    ],
  )
  assert.deepEqual(reasons, ['bad_tag'])
})

test('throttle: so many events of a kind in a period of receipt, the rest counted as dropped', async () => {
  const { chain } = await chainOf('- throttle: { key: [id], events: 2, period: 10s }')
  const events = ['a', 'a', 'a', 'b', 'a'].map((id) => ({ record: { id } }))
  const first = chain.run(makeBatch([{ events, receivedMs: 20_000 }]))
  const second = chain.run(makeBatch([{ events, position: 5, receivedMs: 30_000 }]))
  assert.deepEqual([first.dropped, first.batch.count, second.dropped], [2, 3, 2])
})

test('redact: fields whole, matches within texts, masked or hashed with a key', async () => {
  const { records } = await chainOf(`- redact: { fields: [password, $.user.email] }
- redact: { patterns: ["\\\\d{4}-\\\\d{4}"], mask: "####" }
- redact: { fields: [ip], hash_secret: k }`)
  const [a, b] = records(
    { password: 7, user: { email: 'a@b', name: 'n' }, log: 'card 1234-5678 and 1111-2222', n: 5, ip: '10.0.0.1' },
    { ip: '10.0.0.1' },
  )
  assert.deepEqual([a!.password, a!.user, a!.log, a!.n], ['***', { email: '***', name: 'n' }, 'card #### and ####', 5])
  assert.match(a!.ip as string, /^[0-9a-f]{16}$/)
  assert.equal(a!.ip, b!.ip)
})

test('multiline: lines up to the next start, per tag and stream; the time ends the last', async () => {
  const { chain, advance, reasons } = await chainOf(
    '- join: { start: "^\\\\d{4}-", field: log, key: [source], timeout: 2s, separator: "|" }',
  )
  const logs = [
    ['out', '2026-11-20 boom'],
    ['err', '2026-11-20 other'],
    ['out', '  at a'],
    ['out', '  at b'],
    ['out', '2026-11-21 next'],
  ]
  const filtered = chain.run(makeBatch([{ events: logs.map(([source, log]) => ({ record: { source, log } })) }]))
  assert.deepEqual(
    outOf(filtered).map(({ record }) => record.log),
    ['2026-11-20 boom|  at a|  at b'],
  )
  assert.deepEqual([filtered.held, filtered.joined], [[1, 4], 2])
  const rest = advance(2_000)
  assert.deepEqual(
    outOf(rest).map(({ record }) => record.log),
    ['2026-11-20 other', '2026-11-21 next'],
  )
  assert.deepEqual([rest.released, rest.batch.from, rest.batch.to, reasons], [[1, 4], 1, 5, []])
})

test('docker first, then multiline: a line that was cut is whole before it is a part of a message', async () => {
  const { chain, advance } = await chainOf('- { join: docker }\n- join: { start: "^S", key: [] }')
  const part = (log: string, ordinal: number, last: boolean) => ({
    record: {
      log,
      ...{ partial_message: 'true', partial_id: 'p', partial_ordinal: String(ordinal), partial_last: String(last) },
    },
  })
  const events = [{ record: { log: 'S one' } }, part(' two', 1, false), part(' more', 2, true)]
  const filtered = chain.run(makeBatch([{ events }]))
  assert.deepEqual([filtered.batch.count, filtered.held], [0, [0, 1, 2]])
  const rest = advance(5_000)
  assert.deepEqual(
    outOf(rest).map(({ record }) => record),
    [{ log: 'S one\n two more' }],
  )
  assert.deepEqual([rest.released, rest.joined], [[0, 1, 2], 2])
})

test('a fault nobody foresaw gives the event as it came, marked, to the output', async () => {
  const { FilterChain } = await import('../../../server/delivery/filters/filter-chain.ts')
  const reasons: string[] = []
  const broken = {
    name: 'broken',
    matches: () => true,
    stage: {
      take(event: { record: { keep(names: readonly []): void } }) {
        event.record.keep([])
        throw new TypeError('x is not a function')
      },
    },
  }
  const chain = new FilterChain([broken], (reason) => void reasons.push(reason))
  const [out] = outOf(chain.run(makeBatch([{ events: [{ record: { log: 'hi' } }] }])))
  assert.deepEqual(out!.record, { log: 'hi', _filter_error: 'broken: x is not a function' })
  assert.deepEqual(reasons, ['fault'])
})

test('patterns of evil cannot hang', async () => {
  const { records } = await chainOf('- grep: { regexp: [{ key: log, pattern: "^(a+)+$" }] }')
  assert.deepEqual(records({ log: `${'a'.repeat(50_000)}!` }), [])
})

test('what is wrong with a filter is said where it stands', async () => {
  const rows: readonly [string, RegExp][] = [
    [
      '- { grep: { regexp: [{ key: log, pattern: "(" }] } }',
      /filters\[0\]\.grep\.regexp\[0\]\.pattern.*missing closing/,
    ],
    ['- { grep: { regexp: [{ key: log, pattern: "(?=a)" }] } }', /look-around/],
    ['- { grep: {} }', /filters\[0\]\.grep. must be a map with/],
    ['- { match: a }', /filters\[0\]. must be a filter with/],
    ['- { join: docker, grep: { exclude: [{ key: a, pattern: b }] } }', /both set/],
    ['- { join: podman }', /filters\[0\]\.join\.type. must be/],
    ['- { join: {} }', /filters\[0\]\.join\.start. must be given/],
    ['- { match: "{a", join: docker }', /filters\[0\]\.match. must be a pattern of tags/],
    ['- { record: { add: { a: "{taq}" } } }', /filters\[0\]\.record\.add\.a/],
    ['- { rewrite_tag: { rules: [{ tag: "{match[1]}" }] } }', /needs a .pattern./],
    ['- { parse: { format: xml } }', /filters\[0\]\.parse\.format. must be/],
    ['- { parse: { format: regexp } }', /filters\[0\]\.parse\.pattern. must be given/],
    ['- { parse: { format: json, time_format: "%Q" } }', /filters\[0\]\.parse\.time_format/],
    ['- { parse: { format: json, types: { a: int } } }', /filters\[0\]\.parse\.types\.a/],
    ['- { grap: {} }', /unknown key .filters\[0\]\.grap/],
  ]
  for (const [filters, expected] of rows) {
    const faults = await faultsOf(filters)
    assert.equal(faults.length, 1, `${filters}: ${faults.join('; ')}`)
    assert.match(faults[0]!, expected)
  }
})

test('whatever grep drops and record changes, ids and positions stay with their events', async () => {
  const { chain } = await chainOf(`- { match: a, grep: { exclude: [{ key: drop, pattern: "." }] } }
- { match: a, record: { add: { n: "{record.id}" } } }
- { match: b, grep: { exclude: [{ key: drop, pattern: "." }] } }`)
  const stream = fc.record({
    tag: fc.constantFrom('a', 'b', 'c'),
    drops: fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
  })
  fc.assert(
    fc.property(fc.array(stream, { minLength: 1, maxLength: 5 }), (streams) => {
      const batch = makeBatch(
        streams.map(({ tag, drops }, at) => ({
          tag,
          idBase: String(at).padStart(16, 'I'),
          idIndex: at * 3,
          events: drops.map((drop, index) => ({ record: { id: `${at}.${index}`, ...(drop ? { drop: 'y' } : {}) } })),
        })),
      )
      const whole = outOf({ batch, held: [], released: [], dropped: 0, joined: 0 })
      const filtered = chain.run(batch)
      const expected = whole
        .filter(({ tag, record }) => tag === 'c' || record.drop === undefined)
        .map((it) => (it.tag === 'a' ? { ...it, record: { ...it.record, n: it.record.id } } : it))
      assert.deepEqual(outOf(filtered), expected)
      assert.equal(filtered.dropped, whole.length - expected.length)
    }),
  )
})
