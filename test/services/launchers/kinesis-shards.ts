/**
 * What no emulator has: the limits of a shard. A record goes to the shard whose range holds the MD5 of its key, and
 * each shard takes 1,000 records and 1 MB a second. ["Quotas and limits", Amazon Kinesis Data Streams]
 */
import { createHash } from 'node:crypto'
import { type KinesisClient, ListShardsCommand, type Shard } from '@aws-sdk/client-kinesis'

const RECORDS_PER_SECOND = 1_000
const BYTES_PER_SECOND = 1_000_000

export interface PutRecord {
  readonly PartitionKey: string
  /** base64. */
  readonly Data: string
}

/** A second's worth of a shard at most, filled with time. */
interface Bucket {
  records: number
  bytes: number
  filledAt: number
}

interface Range {
  readonly shard: string
  readonly start: bigint
  readonly end: bigint
}

export class ShardLimits {
  readonly #client: KinesisClient
  readonly #stream: string
  readonly #buckets = new Map<string, Bucket>()
  #ranges: readonly Range[] = []

  constructor(client: KinesisClient, stream: string) {
    this.#client = client
    this.#stream = stream
  }

  /** Looks which shards are open: before the first record, and after each change of them. */
  async refresh(): Promise<readonly string[]> {
    const { Shards = [] } = await this.#client.send(new ListShardsCommand({ StreamName: this.#stream }))
    this.#ranges = Shards.filter(isOpen).map(({ ShardId, HashKeyRange }) => {
      return {
        shard: ShardId!,
        start: BigInt(HashKeyRange!.StartingHashKey!),
        end: BigInt(HashKeyRange!.EndingHashKey!),
      }
    })
    return this.#ranges.map(({ shard }) => shard)
  }

  /** Whether the record's shard takes it now. */
  takes({ PartitionKey, Data }: PutRecord): boolean {
    const hash = BigInt(`0x${createHash('md5').update(PartitionKey).digest('hex')}`)
    const { shard } = this.#ranges.find(({ start, end }) => start <= hash && hash <= end)!
    const bucket = this.#filled(shard)
    const bytes = Buffer.byteLength(Data, 'base64') + Buffer.byteLength(PartitionKey)
    if (bucket.records < 1 || bucket.bytes < bytes) return false
    bucket.records -= 1
    bucket.bytes -= bytes
    return true
  }

  #filled(shard: string): Bucket {
    const now = performance.now()
    const bucket = this.#buckets.get(shard) ?? { records: 0, bytes: 0, filledAt: now - 1_000 }
    const seconds = (now - bucket.filledAt) / 1_000
    bucket.records = Math.min(RECORDS_PER_SECOND, bucket.records + seconds * RECORDS_PER_SECOND)
    bucket.bytes = Math.min(BYTES_PER_SECOND, bucket.bytes + seconds * BYTES_PER_SECOND)
    bucket.filledAt = now
    this.#buckets.set(shard, bucket)
    return bucket
  }
}

/** A shard that was split or merged is closed: its numbers have an end. */
const isOpen = ({ SequenceNumberRange: range }: Shard) => range?.EndingSequenceNumber === undefined
