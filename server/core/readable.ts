/** Times and amounts as people read them, in the console and on the command line. */

const pad = (value: number, digits = 2) => String(value).padStart(digits, '0')

/** `12:03:04.567`, local. */
export function clockTime(ms: number): string {
  const date = new Date(ms)
  const clock = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`
  return `${clock}.${pad(Math.floor(date.getMilliseconds()), 3)}`
}

/** `2026-11-21`, local. */
export function dayOf(ms: number): string {
  const date = new Date(ms)
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`
}

/** A time in words that are short: the day is left out when it is today. */
export function shortTime(ms: number, nowMs: number): string {
  const clock = clockTime(ms).slice(0, 8)
  return dayOf(ms) === dayOf(nowMs) ? clock : `${dayOf(ms)} ${clock}`
}

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })

/** `950`, `12.3K`. */
export function amount(value: number): string {
  return value < 10_000 ? whole.format(value) : compact.format(value)
}

/** Events a second; small rates keep a digit, so that a trickle is not shown as nothing. */
export function rate(value: number): string {
  return value > 0 && value < 10 ? value.toFixed(1) : amount(value)
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

export function bytes(value: number): string {
  const power = value < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(value) / 10))
  const scaled = value / 1024 ** power
  return `${scaled < 10 && power > 0 ? scaled.toFixed(1) : whole.format(scaled)} ${UNITS[power]}`
}

/** `3 s`, `5 min`, `2 h`. */
export function age(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`
  return `${Math.round(seconds / 3_600)} h`
}
