/**
 * What the configuration changes of a stream before it is stored: its tag, the sender in its records, the unit of its
 * times. Where nothing is to be changed there is no such step, and bytes stay as they came.
 */
import { lookupService } from 'node:dns/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EventStream, Spool } from '../../server/core/event.ts'
import type { InputContext } from '../protocol.ts'
import type { Budget } from './budget.ts'
import type { ForwardConfig } from './forward-config.ts'
import { type AddedField, createEntryRewriter, type EntryRewriter } from './rewrite-entries.ts'

/** What one connection stores its streams with. */
export type StoreContext = Pick<InputContext, 'emit' | 'spool'>

/** @returns for a connection from this address what it stores with; undefined when nothing is changed. */
export function createRewriting(
  config: ForwardConfig,
  context: InputContext,
  budget: Budget,
): ((address: string | undefined) => StoreContext) | undefined {
  const { tag, tag_prefix, add_tag_prefix, source_address_key, source_hostname_key, time_unit } = config
  const changesTag = tag !== undefined || tag_prefix !== undefined || add_tag_prefix !== undefined
  const addsSource = source_address_key !== undefined || source_hostname_key !== undefined
  if (!changesTag && !addsSource && time_unit === 's') return undefined
  const names = new HostNames()
  return (address) => {
    const isMs = time_unit === 'ms'
    const tags = changesTag ? createTagRewriter(config) : undefined
    let entries = addsSource || isMs ? createEntryRewriter(sourceFields(config, address, undefined), isMs) : undefined
    const ready = source_hostname_key === undefined || address === undefined ? undefined : names.of(address)
    const prepared = ready?.then((name) => {
      entries = createEntryRewriter(sourceFields(config, address, name), isMs)
    })
    const emit = (stream: EventStream) => {
      const rewritten = rewriteStream(stream, tags, entries)
      return emitWithin(budget, rewritten.packed.byteLength - stream.packed.byteLength, () => context.emit(rewritten))
    }
    return {
      emit: prepared === undefined ? emit : (stream) => prepared.then(() => emit(stream)),
      spool: async () => {
        await prepared
        const spool = await context.spool()
        return entries === undefined ? spool : rewriteSpool(spool, entries)
      },
    }
  }
}

/** What was added is in flight too: small events become several times as large. */
async function emitWithin(budget: Budget, addedBytes: number, emit: () => Promise<void>): Promise<void> {
  budget.addInFlight(addedBytes)
  try {
    await emit()
  } finally {
    budget.addInFlight(-addedBytes)
  }
}

/** A peer without an address has no source; one without a name is named by its address, as in fluentd. */
function sourceFields(config: ForwardConfig, address: string | undefined, name: string | undefined): AddedField[] {
  const { source_address_key, source_hostname_key } = config
  if (address === undefined) return []
  const fields: AddedField[] = []
  if (source_address_key !== undefined) fields.push({ key: source_address_key, text: address })
  if (source_hostname_key !== undefined) fields.push({ key: source_hostname_key, text: name ?? address })
  return fields
}

function rewriteStream(stream: EventStream, tags: TagRewriter | undefined, entries: EntryRewriter | undefined) {
  const { tag, packed } = stream
  return {
    ...stream,
    tag: tags === undefined ? tag : tags(tag),
    // What went through a spool was rewritten on its way.
    packed: entries !== undefined && packed instanceof Uint8Array ? entries.rewrite(packed) : packed,
  }
}

function rewriteSpool(spool: Spool, entries: EntryRewriter): Spool {
  return {
    write: (packed, count) => spool.write(entries.rewrite(packed), count),
    finish: () => spool.finish(),
    discard: () => spool.discard(),
  }
}

type TagRewriter = (tag: Uint8Array) => Uint8Array

/** `tag` replaces, then `tag_prefix` is put before it as it is, then `add_tag_prefix` with a dot. */
function createTagRewriter({ tag, tag_prefix, add_tag_prefix }: ForwardConfig): TagRewriter {
  const prefix = Buffer.from(`${add_tag_prefix === undefined ? '' : `${add_tag_prefix}.`}${tag_prefix ?? ''}`)
  if (tag !== undefined) {
    const whole = Buffer.concat([prefix, Buffer.from(tag)])
    return () => whole
  }
  return (own) => Buffer.concat([prefix, own])
}

/** Names that are remembered. */
const NAMES_MAX = 1_000
const NAME_TTL_MS = 300_000
/** Events wait for the name of their sender no longer than this, in ms. */
const LOOKUP_MS = 2_000

/** Reverse names of addresses, looked up once in a while. */
class HostNames {
  readonly #names = new Map<string, { readonly name: Promise<string | undefined>; readonly until: number }>()

  of(address: string): Promise<string | undefined> {
    const known = this.#names.get(address)
    const now = performance.now()
    if (known !== undefined && now < known.until) return known.name
    if (this.#names.size >= NAMES_MAX) this.#names.clear()
    const found = lookupService(address, 0).then(
      ({ hostname }) => hostname,
      () => undefined,
    )
    const name = Promise.race([found, sleep(LOOKUP_MS, undefined, { ref: false })])
    this.#names.set(address, { name, until: now + NAME_TTL_MS })
    return name
  }
}
