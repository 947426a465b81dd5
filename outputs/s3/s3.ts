/**
 * Stores events as lines in objects of S3, each of them once. A write is done when its lines are durable in the parts
 * that staging.ts keeps on disk, so that the cursor moves and an hour's window holds no chunk; uploader.ts stores the
 * parts that are full.
 */
import { LogboomError } from '../../server/core/errors.ts'
import type { ConfigOf, Fields } from '../../server/core/fields.ts'
import { awsClientConfig, awsFields } from '../aws/client.ts'
import type { Output, OutputContext, Writer } from '../output.ts'
import { COMPRESSIONS, KEY_ENDING } from './compression.ts'
import { createLineCursor } from './lines.ts'
import { parseKey } from './object-key.ts'
import { createObjectStore, type ObjectStore } from './object-store.ts'
import { Staging } from './staging.ts'
import { createS3Writer } from './writer.ts'

/** Tries of one request before the object counts as not stored for now. */
const PIECE_ATTEMPTS = 3

const fields = {
  bucket: { kind: 'string', doc: 'Bucket the objects go to.' },
  key: {
    kind: 'string',
    optional: true,
    doc: 'Key of an object: %Y %m %d %H %M of its window in UTC, {index}, {tag}, {tag[0]}, {tag[-1]}, {node}.',
    example: 'logs/%Y-%m-%d/%H_{index}.gz',
  },
  window: { kind: 'duration', default: '1h', min: '1s', max: '7d', doc: 'Time of events that share an object.' },
  grace: { kind: 'duration', default: '1m', doc: 'How long after its window an object waits for late events.' },
  max_size: {
    kind: 'size',
    default: '256MiB',
    min: '1KiB',
    max: '50GiB',
    doc: 'An object of this size, compressed, is stored before its window is over.',
  },
  ...awsFields,
  path_style: { kind: 'boolean', default: false, doc: 'The bucket in the path of the URL and not in its host.' },
  create_bucket: { kind: 'boolean', default: false, doc: 'Makes the bucket where it does not exist.' },
  compression: { kind: 'enum', of: COMPRESSIONS, default: 'gzip', doc: 'How the lines are compressed.' },
  format: {
    kind: 'enum',
    of: ['json', 'fluentd'],
    default: 'json',
    doc: "A line: the record with @timestamp, tag and sequence, or fluentd's out_file: time, tag and record.",
  },
  event_id: {
    kind: 'boolean',
    default: false,
    doc: 'With `format: json`, the id of the event on each line: what came twice, by a standby, has one id.',
  },
  staging_limit: {
    kind: 'size',
    default: '4GiB',
    min: '1MiB',
    doc: 'Most bytes that wait on disk to be stored; then the output takes no more.',
  },
  flush_at_close: {
    kind: 'boolean',
    default: false,
    doc: 'Stores what is staged when the program stops; else it stays on disk until the next start.',
  },
  request_timeout: { kind: 'duration', default: '60s', doc: 'Longest wait for an answer.' },
  concurrency: { kind: 'integer', default: 2, min: 1, max: 16, doc: 'Objects that are stored at a time.' },
} as const satisfies Fields

type S3Config = ConfigOf<typeof fields>

export const output: Output<typeof fields> = {
  name: 's3',
  summary: 'Store events as lines in compressed objects of S3, each of them once.',
  fields,
  example: 'archive: { type: s3, match: "**", bucket: applogs, window: 1h, region: eu-west-1 }',
  open,
}

async function open(config: S3Config, context: OutputContext): Promise<Writer> {
  try {
    const key = parseKey(config.key ?? `logs/%Y-%m-%d/%H_{index}${KEY_ENDING[config.compression]}`, context.node)
    const window = Math.ceil(config.window / 1000)
    const { format, event_id: eventId } = config
    const cursor = createLineCursor({ format, eventId, key, window, sequence: context.sequence })
    const store = await openStore(config, context)
    const staging = await openStaging(config, context)
    return createS3Writer({
      cursor,
      staging,
      store,
      context,
      stagingLimit: config.staging_limit,
      flushAtClose: config.flush_at_close,
      concurrency: config.concurrency,
    })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new LogboomError('LB-O004', { output: context.name, reason }, { cause: error })
  }
}

async function openStore(config: S3Config, { log }: OutputContext): Promise<ObjectStore> {
  const { S3Client } = await import('@aws-sdk/client-s3')
  const limits = { requestTimeoutMs: config.request_timeout, connections: config.concurrency }
  const client = new S3Client({
    ...(await awsClientConfig(config, limits)),
    // One lost answer must not make a large object begin anew: each of its pieces is tried again by the client.
    maxAttempts: PIECE_ATTEMPTS,
    forcePathStyle: config.path_style,
  })
  return createObjectStore({ client, bucket: config.bucket, createBucket: config.create_bucket, log })
}

async function openStaging(config: S3Config, { directory, clock, log }: OutputContext): Promise<Staging> {
  const { window, grace } = config
  const staging = await Staging.open({
    directory,
    compression: config.compression,
    maxBytes: config.max_size,
    /** Late events wait for others as long as those in time; times that lie ahead do not make an object wait longer. */
    dueMs: (windowStart) => {
      const now = clock.now()
      const end = windowStart * 1000 + window + grace
      return Math.min(Math.max(end, now + grace), now + window + grace)
    },
  })
  for (const reason of staging.damage) {
    const error = new LogboomError('LB-O006', { directory, reason })
    log.error({ code: error.code }, error.message)
  }
  return staging
}
