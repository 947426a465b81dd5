/**
 * The checked configuration, as the rest of the server sees it. How it is loaded and explained is its
 * neighbours' matter.
 */
import type { KafkaBufferConfig } from '../../buffer/kafka/config.ts'
import type { Output } from '../../outputs/output.ts'
import type { Protocol } from '../../protocols/protocol.ts'
import type { Sequence } from '../core/event.ts'
import type { Fields, HostPort } from '../core/fields.ts'
import type { Filter, FilterOrder } from '../delivery/filters/filter.ts'
import type { TestCase } from '../delivery/filters/test-run.ts'

export interface Config {
  /** Undefined: there is no file, and this is the embedded default. */
  readonly file: string | undefined
  readonly node: { readonly id: string; readonly sequence: Sequence }
  readonly admin: { readonly listen: HostPort; readonly token: string | undefined }
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error' }
  /** Longest time from TERM to the end of the process. */
  readonly shutdownLimitMs: number
  readonly buffer: BufferConfig
  readonly inputs: readonly InputConfig[]
  readonly filters: readonly FilterConfig[]
  readonly outputs: readonly OutputConfig[]
  /** What `logboom test` runs. */
  readonly tests: readonly TestCase[]
}

export interface BufferConfig {
  /** Absolute path. */
  readonly path: string
  readonly chunkSizeBytes: number
  readonly maxSizeBytes: number
  /** `durable`: after fdatasync; `written`: after write, as peers do. */
  readonly ack: 'durable' | 'written'
  /** The buffer is Kafka; what is said of chunks does not hold then. */
  readonly kafka: KafkaBufferConfig | undefined
}

export interface InputConfig {
  readonly name: string
  readonly type: string
  readonly protocol: Protocol<Fields>
  /** ConfigOf the protocol's own fields; plain data that crosses threads. */
  readonly options: object
}

export interface FilterConfig extends FilterOrder {
  readonly filter: Filter<Fields>
}

/** The output that another one names as its `secondary`: what it takes to open it once more. */
export interface SecondaryConfig extends Pick<OutputConfig, 'name' | 'output' | 'module' | 'options'> {
  readonly afterMs: number
}

export interface OutputConfig {
  readonly name: string
  readonly type: string
  readonly output: Output<Fields>
  /** URL of the output's module, for the thread that opens it; it exports it as `output`. */
  readonly module: string
  readonly match: string
  /** Those of the whole file, since a change of them is one of each output. */
  readonly filters: readonly FilterOrder[]
  readonly batch: { readonly sizeBytes: number; readonly events: number; readonly ageMs: number }
  /** Tries before an event goes to the dead letters, undefined: without end; and the longest wait between them. */
  readonly retry: { readonly limit: number | undefined; readonly maxIntervalMs: number }
  readonly secondary: SecondaryConfig | undefined
  /** Receives only what others hand over to their `secondary`: it is no reader of the buffer. */
  readonly isSpare: boolean
  readonly deadLettersMaxBytes: number
  readonly onLag: 'block' | 'park' | 'skip'
  readonly lagLimit: { readonly bytes: number | undefined; readonly ageMs: number | undefined }
  readonly parkLimitBytes: number
  readonly options: object
}
