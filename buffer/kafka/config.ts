/** What the kafka buffer is told, on both sides of the thread boundary. */
import type { KafkaConnectionConfig } from '../../server/core/kafka-connection.ts'

export interface KafkaBufferConfig extends KafkaConnectionConfig {
  /** Absolute path of a folder for spooled messages, staged objects and dead letters. */
  readonly path: string
  /** Template of a tag's topic; one that is none of `topics` becomes `defaultTopic`. */
  readonly topic: string
  readonly defaultTopic: string
  /** What outputs read; `defaultTopic` is one of them. */
  readonly topics: readonly string[]
  readonly group: string
  readonly key: 'tag' | 'none'
  readonly compression: 'none' | 'gzip' | 'lz4' | 'zstd'
  readonly messageBytes: number
  readonly createTopics: boolean
  /** Bytes that may wait for the broker's acknowledgement. */
  readonly inFlightBytesMax: number
  readonly offsetKey: string | undefined
}

export interface KafkaSeat {
  readonly config: KafkaBufferConfig
}
