/** Makes the collection what the configuration asks for, once; what a server refuses is said and does not stop. */
import type { Db } from 'mongodb'
import type { Logger } from '../../server/core/log.ts'
import { classifyFailure } from './classify.ts'

export interface CollectionWishes {
  readonly collection: string
  /** Bytes at which the oldest documents make room for new ones. */
  readonly cappedBytes: number | undefined
  /** Seconds after `time` at which a document goes. */
  readonly ttlSeconds: number | undefined
}

/** NamespaceExists: it was made before, or by another instance just now. */
const NAMESPACE_EXISTS = 48
const TTL_INDEX = 'logboom_ttl'

/** Throws OutputError when the server cannot be reached or refuses this user: to be called again. */
export async function prepareCollection(db: Db, wishes: CollectionWishes, log: Logger): Promise<void> {
  const { collection, cappedBytes, ttlSeconds } = wishes
  if (cappedBytes !== undefined) await makeCapped(db, collection, cappedBytes, log)
  if (ttlSeconds === undefined) return
  await unlessRefused(log, `no document of ${collection} will expire`, () =>
    db.collection(collection).createIndex({ time: 1 }, { name: TTL_INDEX, expireAfterSeconds: ttlSeconds }),
  )
}

async function makeCapped(db: Db, collection: string, size: number, log: Logger): Promise<void> {
  const [found] = await answerOf(() => db.listCollections({ name: collection }).toArray())
  if (found === undefined) {
    await unlessRefused(log, `${collection} is not capped and will grow`, () =>
      db.createCollection(collection, { capped: true, size }),
    )
    return
  }
  const { capped = false, size: present } = ('options' in found ? found.options : undefined) ?? {}
  if (capped === true && (present === undefined || Math.abs(Number(present) - size) < 256)) return
  const is = capped === true ? `capped at ${present} bytes` : 'not capped'
  log.warn({ collection, wanted: size }, `${collection} exists and is ${is}; it stays as it is (see convertToCapped)`)
}

/** A refusal of the wish itself is a warning; being out of reach or without rights is the delivery's matter. */
async function unlessRefused(log: Logger, consequence: string, ask: () => Promise<unknown>): Promise<void> {
  try {
    await ask()
  } catch (error) {
    const { name, code, message } = error as Error & { code?: number }
    if (code === NAMESPACE_EXISTS) return
    const fault = classifyFailure(error)
    if (name !== 'MongoServerError' || fault.fault === 'blocked') throw fault
    log.warn({ reason: message }, `${consequence}: the server refuses that`)
  }
}

async function answerOf<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    throw classifyFailure(error)
  }
}
