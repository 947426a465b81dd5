/** Syslog lines of RFC 5424 and RFC 3164, told apart by the version behind the priority, with fluentd's names. */
import type { LineParser } from './line-parser.ts'

/** RFC 3164, 4.1; the priority is left out in files. Some write an ISO time. */
const OLD = new RegExp(
  '^(?:<(?<priority>\\d{1,3})>)?(?<time>[A-Z][a-z]{2} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d|\\d{4}-\\d\\d-\\d\\dT[^ ]+) ' +
    '(?<host>[^ ]+) (?<ident>[^ :[]+)(?:\\[(?<pid>[^\\]]*)\\])?:? ?(?<message>.*)$',
  's',
)
/** RFC 5424, 6. */
const NEW = new RegExp(
  '^<(?<priority>\\d{1,3})>[1-9]\\d? (?<time>[^ ]+) (?<host>[^ ]+) (?<ident>[^ ]+) (?<pid>[^ ]+) (?<msgid>[^ ]+) ' +
    '(?<extradata>-|(?:\\[(?:[^\\]"]|"(?:[^"\\\\]|\\\\.)*")*\\])+)(?: \\ufeff?(?<message>.*))?$',
  's',
)

/** What is `-` is left out; `priority` is a number. */
export const parseSyslogLine: LineParser = (text) => {
  const groups = (NEW.exec(text) ?? OLD.exec(text))?.groups
  if (groups === undefined) return undefined
  return Object.entries(groups).flatMap(([name, value]): [string, unknown][] => {
    if (value === undefined || (value === '-' && name !== 'message')) return []
    return [[name, name === 'priority' ? Number(value) : value]]
  })
}
