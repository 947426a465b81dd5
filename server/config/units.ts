/**
 * Durations, sizes and addresses as people write them, and back. What a field allows of them is its
 * declaration's matter.
 */
import { isIPv6 } from 'node:net'
import type { Address, HostPort } from '../core/fields.ts'

export const DURATION_PATTERN = /^\d{1,12}(ms|s|m|h|d)$/
export const SIZE_PATTERN = /^\d{1,15}(B|KiB|MiB|GiB|TiB)?$/
export const ADDRESS_PATTERN = /^(\[[0-9A-Fa-f:.]+(%\w+)?\]|[A-Za-z0-9_.-]*):\d{1,5}$/
/** What ADDRESS_PATTERN takes, or the path of a Unix socket. */
export const ADDRESS_OR_UNIX_PATTERN = new RegExp(`^unix:/[^\\0]+$|${ADDRESS_PATTERN.source}`)

const UNIX = 'unix:'
/** `sun_path` of Linux without its final zero. [unix(7)] */
export const UNIX_PATH_BYTES_MAX = 107

const PORT_MAX = 65_535
/** `:port` means every address of the machine, as fluentd's in_forward has it by default. */
const EVERY_ADDRESS = '0.0.0.0'

/** Largest first, so that the first that divides is the shortest to read. */
const DURATION_UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const

const SIZE_UNITS = [
  ['TiB', 2 ** 40],
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
  ['B', 1],
] as const

type Units = readonly (readonly [string, number])[]

/** Milliseconds of text that matches DURATION_PATTERN. */
export function parseDuration(text: string): number {
  return Number.parseInt(text, 10) * scaleOf(DURATION_UNITS, text)
}

/** Bytes of text that matches SIZE_PATTERN, or of a number of bytes. */
export function parseSize(value: string | number): number {
  if (typeof value === 'number') return value
  return Number.parseInt(value, 10) * scaleOf(SIZE_UNITS, value)
}

/** Text that matches ADDRESS_OR_UNIX_PATTERN; undefined when the port, the IPv6 address or so long a path cannot be. */
export function parseAddress(text: string): Address | undefined {
  if (!text.startsWith(UNIX)) return parseHostPort(text)
  const path = text.slice(UNIX.length)
  return Buffer.byteLength(path) > UNIX_PATH_BYTES_MAX ? undefined : { path }
}

function parseHostPort(text: string): HostPort | undefined {
  const colon = text.lastIndexOf(':')
  const port = Number(text.slice(colon + 1))
  const written = text.slice(0, colon)
  const host = written.startsWith('[') ? written.slice(1, -1) : written || EVERY_ADDRESS
  if (port > PORT_MAX || (written.startsWith('[') && !isIPv6(host))) return undefined
  return { host, port }
}

/** The shortest exact form: 90000 → `90s`. */
export function formatDuration(ms: number): string {
  return format(DURATION_UNITS, ms)
}

/** The shortest exact form: 16777216 → `16MiB`. */
export function formatSize(bytes: number): string {
  return format(SIZE_UNITS, bytes)
}

/** Whether nobody but this machine can reach it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

function scaleOf(units: Units, text: string): number {
  const unit = text.replace(/^\d+/, '')
  return units.find(([name]) => name === unit)?.[1] ?? 1
}

function format(units: Units, value: number): string {
  const [name, scale] = units.find(([, scale]) => value >= scale && value % scale === 0) ?? units.at(-1)!
  return `${value / scale}${name}`
}
