/**
 * Numbered container log events as packed entries, for load and for counting: what is sent, byte for byte.
 * Every message is a pure function of the connection and its first number, so that one sent again is the same bytes.
 *
 *   entry   92 d7 00 SSSSSSSS NNNNNNNN 84 container_id container_name source log
 *   log     10.1.2.3 - - [...] "GET /login?id=CC-NNNNNNNNN HTTP/1.1" 200 37 "-" "curl/8.5.0" aaaa…
 *
 * Event NNNNNNNNN of a run has the time `startMs` + NNNNNNNNN microseconds.
 */
const PATHS = ['/', '/index.html', '/api/v1/users', '/static/app.js', '/login', '/favicon.ico']
const AGENTS = [
  'curl/8.5.0',
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36',
  'kube-probe/1.31',
  'Go-http-client/2.0',
]
const ID_DIGITS = 9
/** Entry header and EventTime: `92 d7 00` and eight bytes. */
const TIME_AT = 3

/** A run of entries whose times and numbers are filled in; the rest never changes. */
export interface EntryTemplate {
  readonly bytes: Buffer
  readonly count: number
  /** Where each entry begins, and where its number's nine digits stand. */
  readonly starts: Uint32Array
  readonly digits: Uint32Array
}

export interface TemplateOptions {
  readonly connection: number
  readonly count: number
  /** Log lines are filled up to this many bytes: 120 gives entries of about 260 bytes. */
  readonly lineBytes: number
}

export function createTemplate({ connection, count, lineBytes }: TemplateOptions): EntryTemplate {
  const entries = Array.from({ length: count }, (_, index) => entryOf(connection, index, lineBytes))
  const bytes = Buffer.concat(entries)
  const starts = new Uint32Array(count)
  const digits = new Uint32Array(count)
  let at = 0
  for (const [index, entry] of entries.entries()) {
    starts[index] = at
    digits[index] = at + entry.indexOf('?id=') + '?id=CC-'.length
    at += entry.length
  }
  return { bytes, count, starts, digits }
}

function entryOf(connection: number, index: number, lineBytes: number): Buffer {
  const fields = Object.entries(recordOf({ connection, index, number: 0, lineBytes })).flatMap(([key, value]) => [
    text(key),
    text(value),
  ])
  return Buffer.concat([Buffer.from([0x92, 0xd7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x84]), ...fields])
}

export interface RecordOptions {
  readonly connection: number
  /** Its place in the message, which decides all but the number. */
  readonly index: number
  readonly number: number
  readonly lineBytes: number
}

/** The record of an event, as an entry holds it and as every destination must give it back. */
export function recordOf({ connection, index, number, lineBytes }: RecordOptions): Record<string, string> {
  const id = `${String(connection).padStart(2, '0')}-${String(number).padStart(ID_DIGITS, '0')}`
  const address = `10.${index % 251}.${index % 241}.${index % 239}`
  const minute = String(Math.floor(index / 60) % 60).padStart(2, '0')
  const date = `20/Nov/2026:12:${minute}:${String(index % 60).padStart(2, '0')} +0000`
  const status = index % 17 === 0 ? 404 : 200
  const agent = AGENTS[index % AGENTS.length]
  const request = `GET ${PATHS[index % PATHS.length]}?id=${id} HTTP/1.1`
  const line = `${address} - - [${date}] "${request}" ${status} ${(index * 37) % 100_000} "-" "${agent}" `
  const containerId = Array.from({ length: 64 }, (_, i) => '0123456789abcdef'[(connection * 7 + i * 11) & 15]).join('')
  return {
    container_id: containerId,
    container_name: '/shop-web-1',
    source: status === 200 ? 'stdout' : 'stderr',
    log: line.padEnd(lineBytes, 'abcdefghijklmnopqrstuvwxyz'),
  }
}

/** A msgpack string. */
export function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  const n = bytes.length
  const header = n < 32 ? [0xa0 | n] : n < 256 ? [0xd9, n] : [0xda, n >> 8, n & 255]
  return Buffer.concat([Buffer.from(header), bytes])
}

/** Three ASCII digits of each number below 1,000, back to back. */
const DIGITS = Uint8Array.from(
  Array.from({ length: 1_000 }, (_, n) => [...String(n).padStart(3, '0')].map((digit) => digit.charCodeAt(0))).flat(),
)

/**
 * Writes times and numbers of `count` entries that stand at `at`; event n of the run is `startSeconds` and n µs.
 * Plain stores of single bytes: twice as fast as DataView or Buffer's methods here.
 */
export function fillEntries(
  to: Uint8Array,
  at: number,
  template: EntryTemplate,
  first: number,
  count: number,
  startSeconds: number,
): void {
  const { starts, digits } = template
  for (let index = 0; index < count; index += 1) {
    const n = first + index
    const millions = (n / 1_000_000) | 0
    const rest = n - millions * 1_000_000
    const seconds = startSeconds + millions
    const nanos = rest * 1_000
    let p = at + starts[index]! + TIME_AT
    to[p++] = seconds >>> 24
    to[p++] = seconds >>> 16
    to[p++] = seconds >>> 8
    to[p++] = seconds
    to[p++] = nanos >>> 24
    to[p++] = nanos >>> 16
    to[p++] = nanos >>> 8
    to[p] = nanos
    const thousands = (rest / 1_000) | 0
    const high = millions * 3
    const middle = thousands * 3
    const low = (rest - thousands * 1_000) * 3
    p = at + digits[index]!
    to[p++] = DIGITS[high]!
    to[p++] = DIGITS[high + 1]!
    to[p++] = DIGITS[high + 2]!
    to[p++] = DIGITS[middle]!
    to[p++] = DIGITS[middle + 1]!
    to[p++] = DIGITS[middle + 2]!
    to[p++] = DIGITS[low]!
    to[p++] = DIGITS[low + 1]!
    to[p] = DIGITS[low + 2]!
  }
}

/** ISO time with nanoseconds of event `n`, as a document's `@timestamp` must have it. */
export function timestampOf(n: number, startSeconds: number): string {
  const seconds = startSeconds + Math.floor(n / 1_000_000)
  const nanos = String((n % 1_000_000) * 1_000).padStart(9, '0')
  return `${new Date(seconds * 1_000).toISOString().slice(0, 19)}.${nanos}Z`
}
