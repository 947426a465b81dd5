/** Writes events as documents into MongoDB, each of them once. What an answer means stands in classify.ts. */
import type { Db, MongoClientOptions } from 'mongodb'
import { LogboomError } from '../../server/core/errors.ts'
import type { ConfigOf, Fields } from '../../server/core/fields.ts'
import { type Output, type OutputContext, OutputError, type WriteResult, type Writer } from '../output.ts'
import { classifyAnswer, classifyFailure, type InsertAnswer } from './classify.ts'
import { prepareCollection } from './collection.ts'
import { createDocumentMaker, type Documents } from './document.ts'

/** Documents of one command, and bytes of the events they were made of: a command is a document of 16 MiB itself. */
const COMMAND_DOCUMENTS_MAX = 10_000
const COMMAND_BYTES_MAX = 4 * 1024 * 1024
/** How long a server is looked for before a write counts as failed, ms. */
const SELECTION_MS = 5_000

const fields = {
  url: {
    kind: 'string',
    doc: 'Connection string, with the database in its path.',
    example: 'mongodb://store:27017/applogs',
  },
  database: { kind: 'string', optional: true, doc: 'The database, where it is not in the path of `url`.' },
  collection: { kind: 'string', doc: 'Collection the documents go to; it is made when it does not exist.' },
  username: { kind: 'string', optional: true, doc: 'User, where it is not in `url`.' },
  password: { kind: 'secret', optional: true, doc: 'Password of `username`.' },
  auth_source: { kind: 'string', optional: true, doc: 'Database that knows the user.', example: 'admin' },
  capped: {
    kind: 'size',
    optional: true,
    min: '4KiB',
    doc: 'Makes the collection a capped one of this size, where it does not exist yet.',
    example: '1GiB',
  },
  ttl: {
    kind: 'duration',
    optional: true,
    min: '1s',
    doc: 'Documents go this long after their `time` (a TTL index).',
    example: '7d',
  },
  shape: {
    kind: 'enum',
    of: ['document', 'fluentd'],
    default: 'document',
    doc: "The record with `time`, `tag` and `sequence`, or fluentd's: the record with `time`.",
  },
  tls: {
    kind: 'group',
    doc: 'For servers that speak TLS (`tls=true` in `url`).',
    fields: {
      ca_path: { kind: 'string', optional: true, doc: 'PEM file of the authority that signed the certificates.' },
      insecure: { kind: 'boolean', default: false, doc: 'Take any certificate. Only for tests.' },
    },
  },
  request_timeout: { kind: 'duration', default: '60s', doc: 'Longest wait for an answer.' },
  concurrency: { kind: 'integer', default: 2, min: 1, max: 32, doc: 'Commands in flight at a time.' },
} as const satisfies Fields

type MongoConfig = ConfigOf<typeof fields>

export const output: Output<typeof fields> = {
  name: 'mongodb',
  summary: 'Write events as documents into MongoDB, each of them once.',
  fields,
  example: 'store: { type: mongodb, url: mongodb://store:27017/applogs, collection: docker, capped: 1GiB }',
  concurrency: (config) => config.concurrency,
  open,
}

async function open(config: MongoConfig, context: OutputContext): Promise<Writer> {
  const { BSON, MongoClient } = await import('mongodb')
  const { Long, Double, Decimal128, Binary } = BSON
  try {
    const client = new MongoClient(config.url, clientOptions(config))
    const database = config.database ?? client.options.dbName
    if (database === 'test' && !/\/test(\?|$)/.test(config.url)) throw new Error('name a database: `url` has none')
    const makeDocuments = createDocumentMaker({
      shape: config.shape,
      sequence: context.sequence,
      types: { Long, Double, Decimal128, Binary },
      sizeOf: (document) => BSON.serialize(document).byteLength,
    })
    return createWriter({ config, context, makeDocuments, db: client.db(database), close: () => client.close() })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new LogboomError('LB-O004', { output: context.name, reason }, { cause: error })
  }
}

function clientOptions(config: MongoConfig): MongoClientOptions {
  const { username, password = '', auth_source: source, tls } = config
  return {
    // A write that may have been kept is sent again by the delivery: its `_id` makes it one document.
    retryWrites: false,
    serverSelectionTimeoutMS: SELECTION_MS,
    connectTimeoutMS: SELECTION_MS,
    socketTimeoutMS: config.request_timeout,
    maxPoolSize: config.concurrency,
    appName: 'logboom',
    ...(username === undefined ? {} : { auth: { username, password } }),
    ...(source === undefined ? {} : { authSource: source }),
    ...(tls.ca_path === undefined ? {} : { tlsCAFile: tls.ca_path }),
    ...(tls.insecure ? { tlsInsecure: true } : {}),
  }
}

interface Parts {
  readonly config: MongoConfig
  readonly context: OutputContext
  readonly makeDocuments: ReturnType<typeof createDocumentMaker>
  readonly db: Db
  readonly close: () => Promise<void>
}

function createWriter({ config, context, makeDocuments, db, close }: Parts): Writer {
  const { collection } = config
  const ttlSeconds = config.ttl === undefined ? undefined : Math.ceil(config.ttl / 1000)
  let isPrepared = false
  let closed: Promise<void> | undefined

  /** Through the command itself: the driver would add to the documents, and does not know those that are Maps. */
  async function insert(documents: Documents['documents'], signal: AbortSignal): Promise<WriteResult> {
    const command = { insert: collection, documents, ordered: false, writeConcern: { w: 'majority', j: true } }
    try {
      return classifyAnswer((await db.command(command, { signal })) as InsertAnswer)
    } catch (error) {
      if (error instanceof OutputError) throw error
      throw signal.aborted ? stopped() : classifyFailure(error)
    }
  }

  return {
    /** Writes one command after the other. What an earlier one got stays valid when a later one has to wait. */
    async write(batch, signal) {
      if (signal.aborted) throw stopped()
      const made = makeDocuments(batch)
      if (!isPrepared) await prepareCollection(db, { collection, cappedBytes: config.capped, ttlSeconds }, context.log)
      isPrepared = true
      return writeAll(made, (documents) => insert(documents, signal))
    },
    close: () => (closed ??= close()),
  }
}

const stopped = () => new OutputError('retry', 'other', 'the write was stopped')

type Insert = (documents: Documents['documents']) => Promise<WriteResult>

async function writeAll(made: Documents, insert: Insert): Promise<WriteResult> {
  const { documents, indexes } = made
  const rejected = [...made.rejected]
  const pending: number[] = []
  let last: Pick<WriteResult, 'pendingReason' | 'retryAfterMs'> = {}
  for (let from = 0; from < documents.length; ) {
    const to = endOfCommand(made, from)
    try {
      const result = await insert(documents.slice(from, to))
      rejected.push(...result.rejected.map((it) => ({ ...it, index: indexes[from + it.index]! })))
      pending.push(...result.pending.map((at) => indexes[from + at]!))
      if (result.pendingReason !== undefined) last = { pendingReason: result.pendingReason }
    } catch (error) {
      if (from === 0 || !(error instanceof OutputError) || error.fault !== 'retry') throw error
      pending.push(...indexes.slice(from))
      last = { pendingReason: 'unavailable' }
      break
    }
    from = to
  }
  return { rejected: rejected.sort((a, b) => a.index - b.index), pending, ...last }
}

function endOfCommand({ documents, entryBytes }: Documents, from: number): number {
  let bytes = 0
  let to = from
  while (to < documents.length && to - from < COMMAND_DOCUMENTS_MAX) {
    bytes += entryBytes[to]!
    if (to > from && bytes > COMMAND_BYTES_MAX) break
    to += 1
  }
  return to
}
