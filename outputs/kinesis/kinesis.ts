/** Puts events as records into a Kinesis stream. What an answer means stands in classify.ts. */
import type { KinesisClient } from '@aws-sdk/client-kinesis'
import { LogboomError } from '../../server/core/errors.ts'
import type { ConfigOf, Fields } from '../../server/core/fields.ts'
import { awsClientConfig, awsFields } from '../aws/client.ts'
import { type Output, type OutputContext, OutputError, type Writer } from '../output.ts'
import { classifyFailure } from './classify.ts'
import { createRecordMaker, type KeyRule } from './records.ts'
import { type PutRequest, putAll } from './requests.ts'
import { ShardLoad } from './shard-load.ts'
import { StreamRate } from './stream-rate.ts'

const fields = {
  stream: { kind: 'string', doc: 'Name or ARN of the stream.' },
  ...awsFields,
  partition_key: {
    kind: 'enum',
    of: ['uuid', 'hex', 'event_id', 'field'],
    default: 'uuid',
    doc: 'What decides on the shard: chance (as a UUID, or 32 hex digits), the event id, or a field.',
  },
  partition_key_field: {
    kind: 'string',
    optional: true,
    doc: 'Key of the record whose value is the partition key, with `partition_key: field`.',
  },
  shape: {
    kind: 'enum',
    of: ['document', 'fluentd'],
    default: 'document',
    doc: "The record with @timestamp, tag, sequence and event_id, or fluentd's: the record with `time` and `tag`.",
  },
  newline: { kind: 'boolean', default: false, doc: 'Ends each record with a newline, for Firehose and plain readers.' },
  aggregate: {
    kind: 'boolean',
    default: false,
    doc: 'Puts many events into one record, in the format of the Kinesis Producer Library.',
  },
  record_size_limit: {
    kind: 'size',
    default: '1MiB',
    min: '1KiB',
    max: '10MiB',
    doc: 'Largest record, its key counted; a larger event goes to the dead letters. 10 MiB after UpdateMaxRecordSize.',
  },
  request_size_limit: { kind: 'size', default: '5MiB', min: '1MiB', max: '10MiB', doc: 'Most bytes of one request.' },
  request_timeout: { kind: 'duration', default: '30s', doc: 'Longest wait for an answer.' },
  concurrency: { kind: 'integer', default: 4, min: 1, max: 64, doc: 'Requests in flight at a time.' },
} as const satisfies Fields

type KinesisConfig = ConfigOf<typeof fields>

export const output: Output<typeof fields> = {
  name: 'kinesis',
  summary: 'Put events as records into an AWS Kinesis data stream.',
  fields,
  example: 'stream: { type: kinesis, match: "grid.**", stream: logstream, region: eu-west-1 }',
  open,
}

async function open(config: KinesisConfig, context: OutputContext): Promise<Writer> {
  try {
    const { KinesisClient, PutRecordsCommand } = await import('@aws-sdk/client-kinesis')
    const client = new KinesisClient(
      await awsClientConfig(config, { requestTimeoutMs: config.request_timeout, connections: config.concurrency }),
    )
    const name = config.stream.startsWith('arn:') ? { StreamARN: config.stream } : { StreamName: config.stream }
    const put: PutRequest = async (records, signal) => {
      const Records = records.map(({ data, key }) => ({ Data: data, PartitionKey: key }))
      const { Records: answers = [] } = await client.send(new PutRecordsCommand({ ...name, Records }), {
        abortSignal: signal,
      })
      return answers
    }
    return createWriter({ config, context, put, client })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new LogboomError('LB-O004', { output: context.name, reason }, { cause: error })
  }
}

function keyRule({ partition_key: rule, partition_key_field: field }: KinesisConfig): KeyRule {
  if (rule !== 'field') return rule
  if (field === undefined) throw new Error('`partition_key: field` needs `partition_key_field`')
  return { field }
}

interface Parts {
  readonly config: KinesisConfig
  readonly context: OutputContext
  readonly put: PutRequest
  readonly client: KinesisClient
}

function createWriter({ config, context, put, client }: Parts): Writer {
  const makeRecords = createRecordMaker({
    shape: config.shape,
    key: keyRule(config),
    newline: config.newline,
    aggregate: config.aggregate,
    recordBytes: config.record_size_limit,
    sequence: context.sequence,
  })
  const rate = new StreamRate(context.clock)
  const load = new ShardLoad(context)
  const limits = { requestBytes: config.request_size_limit, concurrency: config.concurrency }
  return {
    async write(batch, signal) {
      if (signal.aborted) throw new OutputError('retry', 'other', 'the write was stopped')
      const { records, rejected } = makeRecords(batch)
      const result = await putAll(records, { put, rate, load, limits, signal, classifyFailure })
      return { ...result, rejected: [...rejected, ...result.rejected].sort((a, b) => a.index - b.index) }
    },
    async close() {
      load.close()
      client.destroy()
    },
  }
}
