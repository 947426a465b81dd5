/**
 * Faults that no field has alone: addresses given twice, an open door without a token, a buffer smaller than two
 * chunks.
 */
import { formatAddress } from '../core/address.ts'
import { LogboomError } from '../core/errors.ts'
import type { Address, Fields } from '../core/fields.ts'
import { parseTopic } from '../core/kafka-topic.ts'
import type { Config } from './config.ts'
import { keyName } from './raw-values.ts'
import type { KeyPath, Source } from './source.ts'
import { formatSize, isLoopback } from './units.ts'

export function crossCheck(config: Config, source: Source): LogboomError[] {
  const checks = [sharedAddresses, openWithoutToken, smallBuffer, lagsWithoutLimit, kafkaBuffer]
  return checks.flatMap((check) => check(config, source))
}

interface ListenKey {
  readonly path: KeyPath
  readonly address: Address
}

function sharedAddresses(config: Config, source: Source): LogboomError[] {
  const keys: ListenKey[] = [{ path: ['admin', 'listen'], address: config.admin.listen }]
  for (const { name, protocol, options } of config.inputs) {
    keys.push(...addressesOf(protocol.fields, options as Values, ['inputs', name]))
  }
  return keys.flatMap((key, index) => {
    const other = keys.slice(0, index).find(({ address }) => overlaps(address, key.address))
    if (other === undefined) return []
    // The console's default address is not written down: the caret goes to the one that is.
    const place = source.place(key.path)
    const details = { key: keyName(key.path), address: formatAddress(key.address), other: keyName(other.path) }
    return [new LogboomError('LB-C010', details, { place })]
  })
}

type Values = Readonly<Record<string, unknown>>

function addressesOf(fields: Fields, values: Values, path: KeyPath): ListenKey[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const value = values[name]
    if (value === undefined) return []
    if (field.kind === 'address') return [{ path: [...path, name], address: value as Address }]
    return field.kind === 'group' ? addressesOf(field.fields, value as Values, [...path, name]) : []
  })
}

/** Port 0 is another one each time. Every address of the machine overlaps with each single one. */
function overlaps(a: Address, b: Address): boolean {
  if ('path' in a || 'path' in b) return 'path' in a && 'path' in b && a.path === b.path
  if (a.port !== b.port || a.port === 0) return false
  const [first, second] = [plainHost(a.host), plainHost(b.host)]
  return first === second || EVERY.has(first) || EVERY.has(second)
}

const EVERY: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

function plainHost(host: string): string {
  return host === 'localhost' ? '127.0.0.1' : host.toLowerCase()
}

function openWithoutToken({ admin }: Config, source: Source): LogboomError[] {
  if (admin.token !== undefined || isLoopback(admin.listen.host)) return []
  const details = { address: formatAddress(admin.listen) }
  return [new LogboomError('LB-S008', details, { place: source.place(['admin', 'listen']) })]
}

function smallBuffer({ buffer }: Config, source: Source): LogboomError[] {
  const least = 2 * buffer.chunkSizeBytes
  if (buffer.maxSizeBytes >= least) return []
  const details = {
    key: 'buffer.max_size',
    expected: `at least ${formatSize(least)}`,
    found: `\`${formatSize(buffer.maxSizeBytes)}\``,
    doc: 'It must hold two chunks of `buffer.chunk_size`.',
  }
  return [new LogboomError('LB-C008', details, { place: source.place(['buffer', 'max_size']) })]
}

function lagsWithoutLimit({ outputs }: Config, source: Source): LogboomError[] {
  const open = outputs.filter(({ onLag, lagLimit: { bytes, ageMs } }) => {
    return onLag !== 'block' && bytes === undefined && ageMs === undefined
  })
  return open.map(({ name, onLag }) => {
    const path = ['outputs', name, 'on_lag']
    return new LogboomError('LB-P007', { key: keyName(path), action: onLag }, { place: source.place(path) })
  })
}

/** What needs a disk of its own, or what a consumer group does in its own way, is refused before anything starts. */
function kafkaBuffer({ buffer, inputs, outputs }: Config, source: Source): LogboomError[] {
  const { kafka } = buffer
  if (kafka === undefined) return []
  const faults: LogboomError[] = []
  const refuse = (path: KeyPath, why: string) =>
    faults.push(new LogboomError('LB-K001', { key: keyName(path), why }, { place: source.place(path) }))
  const need = (other: string, why: string) =>
    faults.push(
      new LogboomError(
        'LB-C014',
        { key: 'buffer.type: kafka', other, why },
        { place: source.place(['buffer', 'type']) },
      ),
    )
  if (kafka.brokers.length === 0) need('buffer.brokers', 'Name a broker to begin with, host:port.')
  if (kafka.topics.length < 2 && kafka.topic.includes('{')) need('buffer.topics', 'Name every topic that is read.')
  try {
    parseTopic(kafka.topic)
  } catch (error) {
    refuse(['buffer', 'topic'], (error as Error).message)
  }
  if (kafka.topic.includes('{record.')) refuse(['buffer', 'topic'], 'records are not looked at before the ack')
  for (const { name, type } of inputs) {
    if (type === 'tail') refuse(['inputs', name], 'how far a file was read is kept beside its events on disk')
  }
  for (const { name, type, onLag } of outputs) {
    if (type === 'local') refuse(['outputs', name], 'the local store is searched on the machine that took the events')
    if (onLag !== 'block') refuse(['outputs', name, 'on_lag'], 'old records are deleted by the retention of the topic')
  }
  return faults
}
