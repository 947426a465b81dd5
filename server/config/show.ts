/** The configuration as it runs, as YAML: every default filled in, where each value came from, secrets hidden. Pure. */
import { stringify } from 'yaml'
import { formatAddress } from '../core/address.ts'
import type { Address, Field, Fields } from '../core/fields.ts'
import type { Config } from './config.ts'
import { actionField } from './filters.ts'
import type { LoadedConfig } from './load.ts'
import { keyName } from './raw-values.ts'
import { holdsSecret, MASK, maskUrls } from './secrecy.ts'
import { FILTER_FIELDS, INPUT_FIELDS, OUTPUT_FIELDS, SECTIONS } from './sections.ts'
import type { KeyPath } from './source.ts'
import { formatDuration, formatSize } from './units.ts'

type Values = Readonly<Record<string, unknown>>

interface Line {
  readonly text: string
  readonly origin: string | undefined
}

/** Comments begin here, where the lines before them are short enough. */
const COMMENT_COLUMN = 44

/** Loaded again, it gives the same configuration, but for the secrets, which read `***`. */
export function showConfig(loaded: LoadedConfig): string {
  const { config } = loaded
  const lines = [
    ...mapLines(SECTIONS, sectionValues(config), { path: [], loaded }),
    { text: config.inputs.length === 0 ? 'inputs: {}' : 'inputs:', origin: undefined },
    ...config.inputs.flatMap(({ name, type, protocol, options }) => [
      { text: `  ${name}:`, origin: undefined },
      ...mapLines({ ...INPUT_FIELDS, ...protocol.fields }, { type, ...options }, { path: ['inputs', name], loaded }),
    ]),
    ...filtersLines(loaded),
    { text: 'outputs:', origin: undefined },
    ...config.outputs.flatMap((output) => [
      { text: `  ${output.name}:`, origin: undefined },
      ...mapLines({ ...OUTPUT_FIELDS, ...output.output.fields }, outputValues(output), {
        path: ['outputs', output.name],
        loaded,
      }),
    ]),
  ]
  const head = `# ${loaded.config.file ?? 'The embedded default: there is no file'}\n`
  return `${head}${lines.map(withComment).join('\n')}\n`
}

/** Cases of `logboom test` are not shown: they run nothing. */
function filtersLines(loaded: LoadedConfig): Line[] {
  const { filters } = loaded.config
  if (filters.length === 0) return []
  const items = filters.flatMap(({ type, filter, match, options }, index) => {
    const fields = { ...FILTER_FIELDS, [type]: actionField(filter) }
    return withDash(mapLines(fields, { match, [type]: options }, { path: ['filters', index], loaded }), '')
  })
  return [{ text: 'filters:', origin: undefined }, ...items]
}

function sectionValues({ node, admin, log, shutdownLimitMs, buffer }: Config): Values {
  const { path, chunkSizeBytes, maxSizeBytes, ack } = buffer
  const bufferValues = { path, chunk_size: chunkSizeBytes, max_size: maxSizeBytes, ack }
  return { node, admin, log, shutdown_limit: shutdownLimitMs, buffer: bufferValues }
}

function outputValues(output: Config['outputs'][number]): Values {
  const { type, match, batch, deadLettersMaxBytes, onLag, lagLimit, options } = output
  const batchValues = { size: batch.sizeBytes, events: batch.events, age: batch.ageMs }
  const lag = { on_lag: onLag, lag_limit: { size: lagLimit.bytes, age: lagLimit.ageMs } }
  const retry = { retry_limit: output.retry.limit, retry_max_interval: output.retry.maxIntervalMs }
  const limits = { ...retry, dead_letters: { max_size: deadLettersMaxBytes }, ...lag }
  return { type, match, batch: batchValues, ...limits, ...options }
}

interface Where {
  readonly path: KeyPath
  readonly loaded: LoadedConfig
}

function mapLines(fields: Fields, values: Values, { path, loaded }: Where): Line[] {
  const indent = '  '.repeat(path.length)
  return Object.entries(fields).flatMap(([name, field]) => {
    const value = values[name]
    const at = { path: [...path, name], loaded }
    if (value === undefined) return []
    if (field.kind === 'groups') return listLines(field.fields, value as readonly Values[], at)
    if (field.kind !== 'group') {
      const shown = holdsSecret(loaded.written(at.path)) ? `"${MASK}"` : scalar(field, value)
      return [{ text: `${indent}${name}: ${shown}`, origin: originOf(field, at) }]
    }
    const inside = mapLines(field.fields, value as Values, at)
    return [{ text: `${indent}${name}:${inside.length === 0 ? ' {}' : ''}`, origin: undefined }, ...inside]
  })
}

/** Each map of the list begins with a dash in the place of two of its blanks. */
function listLines(fields: Fields, values: readonly Values[], { path, loaded }: Where): Line[] {
  const indent = '  '.repeat(path.length - 1)
  const items = values.flatMap((item, index) => {
    return withDash(mapLines(fields, item, { path: [...path, index], loaded }), indent)
  })
  return [{ text: `${indent}${path.at(-1)}:${items.length === 0 ? ' []' : ''}`, origin: undefined }, ...items]
}

function withDash(lines: readonly Line[], indent: string): Line[] {
  return lines.map((line, row) => {
    return row > 0 ? line : { ...line, text: `${indent}  - ${line.text.slice(indent.length + 4)}` }
  })
}

function scalar(field: Field, value: unknown): string {
  switch (field.kind) {
    case 'secret':
      return `"${MASK}"`
    case 'duration':
      return formatDuration(value as number)
    case 'size':
      return formatSize(value as number)
    case 'address':
      return quote(formatAddress(value as Address))
    case 'strings':
      return `[${(value as readonly string[]).map((text) => JSON.stringify(escapeDollars(maskUrls(text)))).join(', ')}]`
    case 'map':
      return flowMap(value as Values)
    case 'string':
    case 'path':
    case 'enum':
      return quote(escapeDollars(maskUrls(value as string)))
    default:
      return String(value)
  }
}

function flowMap(values: Values): string {
  const entries = Object.entries(values).map(([key, value]) => {
    const shown = typeof value === 'string' ? JSON.stringify(escapeDollars(maskUrls(value))) : String(value)
    return `${JSON.stringify(key)}: ${shown}`
  })
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`
}

/** As it must be written so that it is not taken for a variable. */
function escapeDollars(text: string): string {
  return text.replace(/\$(?=[{$])/g, () => '$$')
}

/** Quoted only where YAML needs it. */
function quote(text: string): string {
  if (/[\p{Cc}\u2028\u2029]/u.test(text)) return JSON.stringify(text)
  return stringify(text, { lineWidth: 0 }).trimEnd()
}

function originOf(field: Field, { path, loaded }: Where): string {
  const variable = loaded.overriddenBy(keyName(path))
  if (variable !== undefined) return `environment variable ${variable}`
  const file = [...path.slice(0, -1), `${path.at(-1)}_file`]
  for (const written of field.kind === 'secret' ? [path, file] : [path]) {
    const text = loaded.written(written)
    if (text === undefined) continue
    const place = loaded.placeOf(written)
    const from = place === undefined ? 'embedded default' : `${place.file}:${place.line}`
    const variables = [...text.matchAll(/(?<!\$)\$\{(\w+)/g)].map(([, name]) => `, ${name}`)
    return `${from}${written === file ? ', from a file' : ''}${variables.join('')}`
  }
  return 'default'
}

function withComment({ text, origin }: Line): string {
  return origin === undefined ? text : `${text.padEnd(COMMENT_COLUMN)}  # ${origin}`
}
