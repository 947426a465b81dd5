/**
 * From the command line and the environment to the checked configuration: find, parse, check, or say all that is
 * wrong.
 */
import { hostname } from 'node:os'
import path from 'node:path'
import { OUTPUTS } from '../../outputs/registry.ts'
import { PROTOCOLS } from '../../protocols/registry.ts'
import { LogboomError, type SourcePlace } from '../core/errors.ts'
import type { Sequence } from '../core/event.ts'
import type { ConfigOf } from '../core/fields.ts'
import { checkFields, withoutMisspelt } from './check-fields.ts'
import { checkInputs, checkOutputs, type ModuleTable } from './components.ts'
import type { Config } from './config.ts'
import { ConfigErrors } from './config-errors.ts'
import { crossCheck } from './cross-checks.ts'
import { rangeInWords } from './describe-field.ts'
import { checkFilters } from './filters.ts'
import { type ConfigFile, findConfigFile } from './find-file.ts'
import { asText, isMap, type RawContext } from './raw-values.ts'
import { EMBEDDED_DEFAULT, SECTIONS } from './sections.ts'
import { type KeyPath, parseSource } from './source.ts'
import { checkTestCases } from './test-cases.ts'

export interface LoadOptions {
  /**
   * The file that was named; undefined: LOGBOOM_CONFIG, ./logboom.yaml, /etc/logboom/logboom.yaml, else the
   * embedded default.
   */
  readonly file?: string | undefined
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Working folder, absolute. */
  readonly directory?: string
  readonly protocols?: ModuleTable
  readonly outputs?: ModuleTable
}

export interface LoadedConfig {
  readonly config: Config
  /** Name of the file for the operator; undefined for the embedded default. */
  readonly shown: string | undefined
  /** Where a key's value stands, or the nearest key that does; undefined for the embedded default. */
  placeOf(path: KeyPath): SourcePlace | undefined
  /** How a value is written in the file; undefined where it is a default. */
  written(path: KeyPath): string | undefined
  /** The environment variable that overrides a key, where one does. */
  overriddenBy(key: string): string | undefined
}

/** The checked configuration. Throws ConfigErrors with every problem there is. */
export async function loadConfig(options: LoadOptions = {}): Promise<Config> {
  return (await loadWithPlaces(options)).config
}

/** As `loadConfig`, with the places of its keys, for faults that show only later and for `config show`. */
export async function loadWithPlaces(options: LoadOptions = {}): Promise<LoadedConfig> {
  const environment = options.environment ?? process.env
  const directory = options.directory ?? process.cwd()
  const file = await findConfigFile(options.file ?? (environment.LOGBOOM_CONFIG || undefined), directory)
  const source = parseSource(file?.text ?? EMBEDDED_DEFAULT, { file: file?.shown, environment })
  const context = { source, directory: file ? path.dirname(file.path) : directory, problems: [...source.problems] }
  const config = await check({ context, file, environment, options })
  if (config === undefined) throw new ConfigErrors(withoutMisspelt(context.problems))
  const { place: placeOf, written } = source
  const overriddenBy = (key: string) => OVERRIDES.find((it) => it.key === key && environment[it.variable])?.variable
  return { config, shown: file?.shown, placeOf, written, overriddenBy }
}

/**
 * The error again, with the place of the key that its details name, for instance an address that is taken.
 * What is no LogboomError, has a place, or names no key comes back as it is.
 */
export function withPlace(error: unknown, loaded: Pick<LoadedConfig, 'placeOf'>): unknown {
  if (!(error instanceof LogboomError) || error.place !== undefined) return error
  const { key } = error.details
  const place = typeof key === 'string' ? loaded.placeOf(key.split('.')) : undefined
  return place === undefined ? error : new LogboomError(error.code, error.details, { place, cause: error.cause })
}

interface CheckOptions {
  readonly context: RawContext
  readonly file: ConfigFile | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly options: LoadOptions
}

/** Undefined when there are problems, which are then in the context. */
async function check({ context, file, environment, options }: CheckOptions): Promise<Config | undefined> {
  const { source, problems } = context
  if (problems.some(({ code }) => code === 'LB-C005')) return undefined
  const raw = source.value ?? {}
  const {
    inputs: rawInputs,
    filters: rawFilters,
    outputs: rawOutputs,
    tests: rawTests,
    ...rest
  } = isMap(raw) ? raw : {}
  const sections = checkFields(SECTIONS, isMap(raw) ? rest : raw, [], context)
  if (!isMap(raw)) return undefined
  const inputs = await checkInputs(rawInputs, options.protocols ?? PROTOCOLS, context)
  const filters = await checkFilters(rawFilters, context)
  const isShared = isMap(rest.buffer) && asText(rest.buffer.type) === 'kafka'
  const surroundings = { table: options.outputs ?? OUTPUTS, filters, isShared }
  const outputs = await checkOutputs(rawOutputs, surroundings, context)
  const tests = checkTestCases(rawTests, context)
  if (sections === undefined) return undefined
  const { node, admin, log, shutdown_limit, buffer } = sections as ConfigOf<typeof SECTIONS>
  const config: Config = {
    file: file?.path,
    node: { id: node.id ?? hostname(), sequence: sequenceFrom(environment, node.sequence, problems) },
    ...{ admin, log, shutdownLimitMs: shutdown_limit, inputs, filters, outputs, tests },
    buffer: {
      path: path.resolve(context.directory, buffer.path),
      chunkSizeBytes: buffer.chunk_size,
      maxSizeBytes: buffer.max_size,
      ack: buffer.ack,
      kafka: buffer.type === 'kafka' ? kafkaBuffer(buffer, context.directory) : undefined,
    },
  }
  problems.push(...crossCheck(config, source))
  return problems.length === 0 ? config : undefined
}

type BufferFields = ConfigOf<typeof SECTIONS>['buffer']

/** Without `topics` only the one that `topic` names for every tag is read; `crossCheck` says so where it depends. */
function kafkaBuffer(buffer: BufferFields, directory: string): Config['buffer']['kafka'] {
  const { topic, default_topic: defaultTopic, topics = topic.includes('{') ? [] : [topic] } = buffer
  const { username, password, sasl_mechanism, tls, request_timeout, group, key, compression } = buffer
  return {
    ...{ username, password, sasl_mechanism, tls, request_timeout, group, key, compression, topic },
    brokers: buffer.brokers ?? [],
    path: path.resolve(directory, buffer.path),
    defaultTopic: topic.includes('{') ? defaultTopic : topic,
    topics: [...new Set(topic.includes('{') ? [...topics, defaultTopic] : topics)],
    messageBytes: buffer.message_size_limit,
    createTopics: buffer.create_topics,
    inFlightBytesMax: buffer.in_flight_limit,
    offsetKey: buffer.offset_key,
  }
}

/** The names are those of the systems that Logboom takes over from. */
const OVERRIDES = [
  { part: 'seed', key: 'node.sequence.seed', variable: 'counter_seed' },
  { part: 'step', key: 'node.sequence.step', variable: 'counter_increment' },
] as const

function sequenceFrom(environment: CheckOptions['environment'], file: Sequence, problems: LogboomError[]): Sequence {
  const sequence = { ...file }
  for (const { part, variable } of OVERRIDES) {
    const text = environment[variable]
    if (text === undefined || text === '') continue
    const field = SECTIONS.node.fields.sequence.fields[part]
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
    if (value >= field.min && value <= field.max) {
      sequence[part] = value
      continue
    }
    const found = `\`${text.slice(0, 60)}\``
    const details = { key: `${variable} (environment)`, expected: rangeInWords(field), found, doc: field.doc }
    problems.push(new LogboomError('LB-C008', details))
  }
  return sequence
}
