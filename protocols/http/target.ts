/** What the address of a request says: the tag, and the parameters. Pure. */
import type { Instant } from '../encoding/rfc3339.ts'
import { readRfc3339 } from '../encoding/rfc3339.ts'
import { LIMITS, Refusal } from './limits.ts'

export interface TagRules {
  /** Takes the place of the path. */
  readonly tag: string | undefined
  /** Put before it, with a dot. */
  readonly add_tag_prefix: string | undefined
}

/**
 * The tag: the path with its slashes as dots, decoded. [fluentd in_http]
 * @throws Refusal 400 when there is none, or it cannot be one.
 */
export function tagOf(path: string, { tag, add_tag_prefix }: TagRules): Buffer {
  const own = tag ?? path.split('/').filter(Boolean).map(decodeSegment).join('.')
  const whole = Buffer.from(add_tag_prefix === undefined || own === '' ? own : `${add_tag_prefix}.${own}`)
  if (own === '') throw new Refusal(400, 'LB-H003', { reason: 'the path is empty' })
  if (whole.length > LIMITS.tagBytes) throw new Refusal(400, 'LB-H003', { reason: `it has ${whole.length} bytes` })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
  if (/[\x00-\x20\x7f]/.test(own)) throw new Refusal(400, 'LB-H003', { reason: 'it has spaces or control characters' })
  return whole
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new Refusal(400, 'LB-H003', { reason: 'it is not percent-encoded UTF-8' })
  }
}

const SECONDS_END = 2 ** 32

/**
 * The parameter `time`: seconds since 1970, maybe with a fraction, or RFC 3339. 0 is none. [fluentd in_http]
 * @throws Refusal 400 for anything else.
 */
export function timeOf(text: string | null): Instant | undefined {
  if (text === null) return undefined
  const time = { seconds: 0, nanoseconds: 0 }
  const [, whole, fraction = ''] = /^(\d{1,10})(?:\.(\d{0,20}))?$/.exec(text) ?? []
  if (whole !== undefined && Number(whole) < SECONDS_END) {
    time.seconds = Number(whole)
    time.nanoseconds = Number(fraction.padEnd(9, '0').slice(0, 9))
    return time.seconds === 0 ? undefined : time
  }
  const bytes = Buffer.from(text)
  if (readRfc3339(bytes, 0, bytes.length, time, 0) === bytes.length) return time
  throw new Refusal(400, 'LB-H004', { parameter: 'time', reason: 'it is neither seconds since 1970 nor RFC 3339' })
}
