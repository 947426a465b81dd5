/** Facilities and severities by number, under fluentd's names, and the tag that each pair of them has. */

/** [RFC 5424 6.2.1; names of fluentd in_syslog] */
export const FACILITIES = [
  ...['kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv', 'ftp', 'ntp'],
  ...['audit', 'alert', 'at', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'],
] as const
export const SEVERITIES = ['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug'] as const

/** facility × 8 + severity; the highest that there is. */
export const PRIORITY_MAX = FACILITIES.length * 8 - 1
/** What a message without a PRI has: user.notice. [RFC 3164 4.3.3] */
export const DEFAULT_PRIORITY = 13

export const facilityOf = (priority: number) => FACILITIES[priority >> 3]!
export const severityOf = (priority: number) => SEVERITIES[priority & 7]!

/** `<prefix>.<facility>.<severity>` for each priority. [fluentd in_syslog] */
export function tagsOf(prefix: string): readonly Buffer[] {
  return Array.from({ length: PRIORITY_MAX + 1 }, (_, priority) =>
    Buffer.from(`${prefix}.${facilityOf(priority)}.${severityOf(priority)}`),
  )
}
