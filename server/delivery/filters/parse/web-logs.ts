/**
 * The log lines of Apache and nginx, with fluentd's names (lib/fluent/plugin/parser_{apache2,nginx,apache_error}.rb).
 * The patterns are ours and linear: no two neighbours within them can take the same character.
 */
import type { LineParser } from './line-parser.ts'

const REQUEST = '"(?:(?<method>[^ "]+)(?: +(?<path>[^ "\\\\]*(?:\\\\.[^ "\\\\]*)*)(?: [^"]*)?)?|[^"]*)"'
const QUOTED = '"(?<NAME>[^"\\\\]*(?:\\\\.[^"\\\\]*)*)"'
const AGENTS = `${QUOTED.replace('NAME', 'referer')} ${QUOTED.replace('NAME', 'agent')}`
const TIME = '\\[(?<time>[^\\]]*)\\]'
const END = `${TIME} ${REQUEST} (?<code>[^ ]+) (?<size>[^ ]+)(?: ${AGENTS}`

const APACHE = new RegExp(`^(?<host>[^ ]+) [^ ]+ (?<user>[^ ]+) ${END}.*)?$`)
const FORWARDED = '(?:\\s+"?(?<http_x_forwarded_for>[^ ",]+(?:, ?[^ ",]+)*)"?.*)?'
const NGINX = new RegExp(`^(?<remote>[^ ]+) (?<host>[^ ]+) (?<user>[^ ]+) ${END}${FORWARDED})?$`)
const APACHE_ERROR = new RegExp(
  '^\\[[A-Z][a-z]{2} (?<time>[^\\]]*)\\] \\[(?<level>[^\\]]*)\\](?: \\[pid (?<pid>[^\\]]*)\\])?' +
    '(?: \\[client (?<client>[^\\]]*)\\])? (?<message>.*)$',
  's',
)

const INTEGERS = new Set(['code', 'size'])

/** Combined or common. What is `-` is left out; `code` and `size` are numbers. */
export const parseApache: LineParser = (text) => accessFields(APACHE.exec(text))
export const parseNginx: LineParser = (text) => accessFields(NGINX.exec(text))

export const parseApacheError: LineParser = (text) => {
  const groups = APACHE_ERROR.exec(text)?.groups
  return groups && Object.entries(groups).filter(([, value]) => value !== undefined)
}

function accessFields(match: RegExpExecArray | null): [string, unknown][] | undefined {
  if (match === null) return undefined
  return Object.entries(match.groups!).flatMap(([name, value]): [string, unknown][] => {
    if (value === undefined || value === '-') return []
    return [[name, INTEGERS.has(name) && /^\d{1,15}$/.test(value) ? Number(value) : value]]
  })
}
