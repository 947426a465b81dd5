/** Messages at random that know the protocol: right ones, lies about lengths, damaged ones. For tests only. */
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import {
  array,
  bin8,
  bin16,
  bin32,
  eventTime,
  float64,
  header,
  int32,
  map,
  nil,
  str,
  str16,
  str32,
  uint32,
} from './encoding.ts'

const text = fc.oneof(fc.string({ maxLength: 40 }), fc.constantFrom('', '__proto__', 'chunk', '\0', 'x'.repeat(60_000)))
const bytes = fc.uint8Array({ maxLength: 60 }).map((body) => Buffer.from(body))
const body = fc.oneof(
  text.map((it) => Buffer.from(it)),
  bytes,
)
const wide = fc.constantFrom(str, str16, str32, bin16, bin32)

/** Headers that promise what does not follow, and bytes that are no msgpack. */
const lie = fc.oneof(
  fc.tuple(fc.constantFrom(0xc6, 0xdb, 0xdd, 0xdf, 0xc9), fc.nat(0xffffffff)).map(([first, n]) => header(first, 4, n)),
  fc.tuple(fc.constantFrom(0xc5, 0xda, 0xdc, 0xde, 0xc8), fc.nat(0xffff)).map(([first, n]) => header(first, 2, n)),
  fc.constant(Buffer.of(0xc1)),
)
const extension = fc
  .tuple(fc.constantFrom(0xd4, 0xd5, 0xd6, 0xd7, 0xd8), fc.nat(255))
  .map(([first, type]) => Buffer.concat([Buffer.of(first, type), Buffer.alloc(1 << (first - 0xd4), type)]))

const { value } = fc.letrec<{ value: Buffer }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    { weight: 2, arbitrary: fc.tuple(wide, body).map(([form, it]) => form(it)) },
    { weight: 2, arbitrary: fc.constantFrom(nil, Buffer.of(0xc2), Buffer.of(0xc3), Buffer.of(7), Buffer.of(0xff)) },
    { weight: 1, arbitrary: fc.oneof(fc.nat().map(uint32), fc.integer().map(int32), fc.double().map(float64)) },
    { weight: 1, arbitrary: extension },
    { weight: 2, arbitrary: fc.array(tie('value'), { maxLength: 5 }).map((items) => array(...items)) },
    { weight: 2, arbitrary: fc.dictionary(fc.string({ maxLength: 8 }), tie('value'), { maxKeys: 5 }).map(map) },
    {
      weight: 1,
      arbitrary: fc.integer({ min: 1, max: 3_000 }).map((n) => Buffer.concat([Buffer.alloc(n, 0x91), nil])),
    },
  ),
}))

const record = fc.oneof(
  { weight: 5, arbitrary: fc.dictionary(fc.string({ maxLength: 8 }), value, { maxKeys: 5 }).map(map) },
  { weight: 1, arbitrary: value },
  { weight: 1, arbitrary: lie },
)
const plainTime = fc.oneof(
  fc.tuple(fc.nat(0xffffffff), fc.nat(0xffffffff)).map(([s, ns]) => eventTime(s, ns)),
  fc.constantFrom(uint32(1_700_000_000), Buffer.of(0), float64(Number.NaN), float64(1e300), float64(-1)),
  value,
)
const time = fc.oneof(
  plainTime,
  fc.tuple(plainTime, record).map(([at, meta]) => array(at, meta)),
)
const entry = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(time, record).map(([at, it]) => array(at, it)) },
  { weight: 1, arbitrary: value },
)
const option = fc.oneof(
  fc.constant(nil),
  fc
    .record(
      {
        chunk: fc.oneof(body.map(str), value),
        compressed: fc.constantFrom(str('gzip'), str('zstd'), str('text'), str('lz4'), nil),
        size: value,
        fluent_signal: fc.nat(5).map((signal) => Buffer.of(signal)),
        metadata: record,
      },
      { requiredKeys: [] },
    )
    .map((pairs) => map(pairs as Record<string, Buffer>)),
  value,
)
const tag = fc.oneof({ weight: 4, arbitrary: text.map(str) }, { weight: 1, arbitrary: value })
const packed = fc
  .tuple(
    fc.array(entry, { maxLength: 6 }).map((list) => Buffer.concat(list)),
    fc.constantFrom<(entries: Buffer) => Buffer>(
      (entries) => entries,
      gzipSync,
      zstdCompressSync,
      (entries) => Buffer.concat([gzipSync(entries), gzipSync(entries)]),
      (entries) => gzipSync(entries).subarray(0, -5),
    ),
    fc.constantFrom(str, str16, str32, bin8, bin16, bin32),
  )
  .map(([entries, press, form]) => {
    const body = press(entries)
    return form === bin8 && body.length > 255
      ? bin32(body)
      : form(body.length > 65_535 ? body.subarray(0, 65_535) : body)
  })
const message = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(tag, time, record, option).map((items) => array(...items)) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        tag,
        fc.array(entry, { maxLength: 6 }).map((list) => array(...list)),
        option,
      )
      .map((items) => array(...items)),
  },
  { weight: 4, arbitrary: fc.tuple(tag, packed, option).map((items) => array(...items)) },
  { weight: 1, arbitrary: value },
  { weight: 1, arbitrary: lie },
)
const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 })

/** What one client sends: some messages, here and there a byte that is another. */
export const hostileBytes: fc.Arbitrary<Buffer> = fc
  .tuple(fc.array(message, { minLength: 1, maxLength: 4 }), fc.oneof(fc.constant([]), damage))
  .map(([list, changes]) => {
    const all = Buffer.concat(list)
    for (const [at, byte] of changes) all[at % all.length] = byte
    return all
  })
