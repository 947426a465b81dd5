/** The embedded searchable store: keeps events on this machine, for the console and `logboom query`. */
import type { ConfigOf, Fields } from '../../server/core/fields.ts'
import type { EventSearch } from '../../server/core/search.ts'
import { ALL_ACCEPTED, type Output, type OutputContext, type Writer } from '../output.ts'
import { SearchClient } from './search-client.ts'
import { StoreWriter } from './store-writer.ts'

/** How often old slices are looked for while nothing is written. */
const EXPIRE_EVERY_MS = 60_000

const fields = {
  keep_age: {
    kind: 'duration',
    default: '24h',
    doc: 'How long events are kept after they were received; up to one `slice` longer.',
  },
  keep_size: {
    kind: 'size',
    default: '1GiB',
    doc: 'Bytes on disk at which the oldest events are deleted.',
  },
  slice: {
    kind: 'duration',
    default: '1h',
    doc: 'Time of arrival that one file holds, which is deleted as a whole; an eighth of `keep_size` ends it sooner.',
  },
} as const satisfies Fields

export const output: Output<typeof fields> = {
  name: 'local',
  summary: 'Keep events on this machine for a while, searchable by the console and `logboom query`.',
  fields,
  example: 'local: { keep_age: 24h, keep_size: 1GiB }',
  open,
  openSearch,
}

async function open(config: ConfigOf<typeof fields>, context: OutputContext): Promise<Writer> {
  const { directory, sequence, clock, log } = context
  const store = new StoreWriter({
    directory,
    sequence,
    clock,
    log,
    keepAgeMs: config.keep_age,
    keepSizeBytes: config.keep_size,
    sliceMs: config.slice,
  })
  const expire = () => {
    try {
      store.expire()
    } catch (error) {
      log.warn({ reason: (error as Error).message }, 'old events of the local store could not be deleted')
    }
  }
  const timer = setInterval(expire, EXPIRE_EVERY_MS).unref()
  return {
    /** Nothing is ever refused. The thread is the output's own, so that it may wait for the disk. */
    async write(batch) {
      store.write(batch)
      return ALL_ACCEPTED
    },
    async close() {
      clearInterval(timer)
      store.close()
    },
  }
}

/** The searches run in a thread of their own, which starts with the first question. */
async function openSearch(_config: ConfigOf<typeof fields>, context: OutputContext): Promise<EventSearch> {
  return new SearchClient(context.directory, context.log)
}
