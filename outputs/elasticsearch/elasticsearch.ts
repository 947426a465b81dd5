/** Writes events as documents into Elasticsearch or OpenSearch. What an answer means stands in classify.ts. */

import { LogboomError } from '../../server/core/errors.ts'
import type { Batch } from '../../server/core/event.ts'
import type { ConfigOf, Fields } from '../../server/core/fields.ts'
import { type ByteSink, createByteSink } from '../encoding/byte-sink.ts'
import {
  ALL_ACCEPTED,
  type Output,
  type OutputContext,
  OutputError,
  RETRY_REASONS,
  type WriteResult,
  type Writer,
} from '../output.ts'
import { type BulkCursor, createBulkCursor, encodeBodies } from './bulk-body.ts'
import { type BulkClient, createBulkClient } from './bulk-client.ts'
import { classifyAnswer, classifyFailure, type ItemsVerdict } from './classify.ts'
import { createFluentdWriter } from './fluentd-document.ts'
import { type IndexPattern, parseIndexPattern } from './index-name.ts'
import { createPlainEvents } from './plain-events.ts'

/** A bulk body ends with the event that reaches this size, bytes; Elasticsearch takes 100 MB by default. */
const BODY_LIMIT = 8 * 1024 * 1024
/** What a body's memory begins with, bytes. */
const BODY_START = 256 * 1024

const fields = {
  url: { kind: 'strings', doc: 'Addresses of the cluster; with several, requests go to each in turn.' },
  index: {
    kind: 'string',
    default: 'logstash-%Y.%m.%d',
    doc: 'Name of the index by the time of the event in UTC (%Y %y %m %d %j %H), or of the data stream.',
  },
  data_stream: {
    kind: 'boolean',
    default: false,
    doc: '`index` names a data stream, such as logs-docker-default: then it has no date.',
  },
  shape: {
    kind: 'enum',
    of: ['document', 'fluentd'],
    default: 'document',
    doc: "The record with @timestamp, tag and sequence, or fluentd's: the record with @timestamp, ending in +00:00.",
  },
  tag_key: {
    kind: 'string',
    optional: true,
    doc: 'Key that the tag is put under, with `shape: fluentd`; left out, the tag is not in the document.',
    example: '@log_name',
  },
  username: { kind: 'string', optional: true, doc: 'For basic authentication.' },
  password: { kind: 'secret', optional: true, doc: 'Password of `username`.' },
  api_key: { kind: 'secret', optional: true, doc: 'API key, base64 as Kibana shows it; used instead of `username`.' },
  tls: {
    kind: 'group',
    doc: 'For https addresses.',
    fields: {
      ca_path: { kind: 'string', optional: true, doc: 'PEM file of the authority that signed the certificates.' },
      insecure: { kind: 'boolean', default: false, doc: 'Take any certificate. Only for tests.' },
    },
  },
  request_timeout: { kind: 'duration', default: '60s', doc: 'Longest wait for an answer.' },
  concurrency: { kind: 'integer', default: 2, min: 1, max: 32, doc: 'Requests in flight at a time.' },
} as const satisfies Fields

type ElasticsearchConfig = ConfigOf<typeof fields>

export const output: Output<typeof fields> = {
  name: 'elasticsearch',
  summary: 'Write events as documents into Elasticsearch 7 to 9 or OpenSearch, each of them once.',
  fields,
  example: 'search: { type: elasticsearch, match: "docker.**", url: http://search:9200, index: "logstash-%Y.%m.%d" }',
  concurrency: (config) => config.concurrency,
  open,
}

async function open(config: ElasticsearchConfig, context: OutputContext): Promise<Writer> {
  const client = await createBulkClient({
    urls: config.url,
    username: config.username,
    password: config.password,
    apiKey: config.api_key,
    caPath: config.tls.ca_path,
    insecure: config.tls.insecure,
    requestTimeoutMs: config.request_timeout,
  }).catch((error) => {
    throw cannotOpen(context, error)
  })
  const pattern = readPattern(config, context)
  const cursor =
    config.shape === 'fluentd'
      ? createBulkCursor(pattern, context.sequence, undefined, createFluentdWriter(config.tag_key))
      : createBulkCursor(pattern, context.sequence, createPlainEvents())
  return createWriter({ client, cursor, context })
}

function readPattern(config: ElasticsearchConfig, context: OutputContext): IndexPattern {
  const { index, data_stream: isDataStream, shape, tag_key: tagKey } = config
  try {
    if (tagKey !== undefined && shape !== 'fluentd') {
      throw new Error('`tag_key` is for `shape: fluentd`; the usual document has the tag under `tag`')
    }
    if (isDataStream && index.includes('%')) {
      throw new Error('with `data_stream`, `index` must be the name of a data stream, such as logs-docker-default')
    }
    return parseIndexPattern(index)
  } catch (error) {
    throw cannotOpen(context, error)
  }
}

function cannotOpen({ name }: OutputContext, error: unknown): LogboomError {
  const reason = error instanceof Error ? error.message : String(error)
  return new LogboomError('LB-O004', { output: name, reason }, { cause: error })
}

interface Parts {
  readonly client: BulkClient
  readonly cursor: BulkCursor
  readonly context: OutputContext
}

function createWriter({ client, cursor, context }: Parts): Writer {
  /**
   * Bodies that no request holds any more. One that failed may still be on its way into a socket and is not used
   * again.
   */
  const spare: ByteSink[] = []
  let isClosed = false

  async function send(body: Uint8Array, count: number, signal: AbortSignal): Promise<ItemsVerdict> {
    const answer = await client.send(body, signal).catch((error) => {
      throw signal.aborted ? new OutputError('retry', 'other', 'the write was stopped') : classifyFailure(error)
    })
    return classifyAnswer(answer, count, context.clock.now())
  }

  return {
    /** Writes one body after the other. What an earlier body got stays valid when a later one has to wait. */
    async write(batch, signal) {
      const sink = spare.pop() ?? createByteSink(BODY_START)
      let result: WriteResult = ALL_ACCEPTED
      for (const { first, count } of encodeBodies(cursor, batch, sink, BODY_LIMIT)) {
        try {
          result = merge(result, await send(sink.bytes.subarray(0, sink.at), count, signal), first)
        } catch (error) {
          if (first === 0 || !(error instanceof OutputError) || error.fault !== 'retry') throw error
          return putOff(result, { first, batch, error })
        }
      }
      spare.push(sink)
      return result
    },
    async close() {
      if (isClosed) return
      isClosed = true
      await client.close()
    },
  }
}

function merge(result: WriteResult, { rejected, pending, pendingReason }: ItemsVerdict, first: number): WriteResult {
  const reason = pendingReason ?? result.pendingReason
  return {
    rejected: [...result.rejected, ...rejected.map((it) => ({ ...it, index: it.index + first }))],
    pending: [...result.pending, ...pending.map((index) => index + first)],
    ...(reason === undefined ? {} : { pendingReason: reason }),
  }
}

/** The events from `first` on have to wait, for the reason of the error. */
function putOff(result: WriteResult, rest: { first: number; batch: Batch; error: OutputError }): WriteResult {
  const { first, batch, error } = rest
  const pending = Array.from({ length: batch.count - first }, (_, index) => first + index)
  return {
    rejected: result.rejected,
    pending: [...result.pending, ...pending],
    pendingReason: RETRY_REASONS.find((it) => it === error.reason) ?? 'other',
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  }
}
