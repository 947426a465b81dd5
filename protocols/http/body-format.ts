/** What a body is, by its headers: how it is compressed, and what the records are written in. Pure. */
import { Refusal } from './limits.ts'

/** `sniff`: told by the first byte. */
export type Format = 'json' | 'msgpack' | 'form' | 'sniff'
export type Compression = 'none' | 'gzip' | 'deflate' | 'zstd'

const FORMATS: ReadonlyMap<string, Format> = new Map(
  Object.entries({
    '': 'sniff',
    'application/json': 'json',
    'text/json': 'json',
    'application/x-ndjson': 'json',
    'application/ndjson': 'json',
    'application/jsonl': 'json',
    'application/x-jsonlines': 'json',
    'application/json-lines': 'json',
    'application/stream+json': 'json',
    'application/msgpack': 'msgpack',
    'application/x-msgpack': 'msgpack',
    'application/vnd.msgpack': 'msgpack',
    'application/x-www-form-urlencoded': 'form',
  }),
)

/** @throws Refusal 415. */
export function formatOf(contentType: string | undefined): Format {
  const type = (contentType ?? '').split(';', 1)[0]!.trim().toLowerCase()
  const format = FORMATS.get(type) ?? (/^application\/[\w.-]+\+json$/.test(type) ? 'json' : undefined)
  if (format !== undefined) return format
  throw unknownType(type)
}

export function unknownType(value: string): Refusal {
  const known = 'application/json, application/x-ndjson, application/msgpack or a form'
  return new Refusal(415, 'LB-H005', { header: 'Content-Type', value: value.slice(0, 100), known })
}

/** @throws Refusal 415. */
export function compressionOf(contentEncoding: string | undefined): Compression {
  const encoding = (contentEncoding ?? '').trim().toLowerCase()
  if (encoding === '' || encoding === 'identity') return 'none'
  if (encoding === 'gzip' || encoding === 'x-gzip') return 'gzip'
  if (encoding === 'deflate' || encoding === 'zstd') return encoding
  const known = 'gzip, deflate or zstd, one of them'
  throw new Refusal(415, 'LB-H005', { header: 'Content-Encoding', value: encoding.slice(0, 100), known })
}

/** A body without a content type, or that was sent as a form by mistake: JSON, msgpack, or undefined for neither. */
export function sniffFormat(first: number): 'json' | 'msgpack' | undefined {
  if (first === 0x7b || first === 0x5b || first === 0x20 || (first >= 9 && first <= 13)) return 'json'
  return (first >= 0x80 && first <= 0x9f) || (first >= 0xdc && first <= 0xdf) ? 'msgpack' : undefined
}
