/**
 * The tail input: follows log files through their rotations. What is followed stands in `file-list.ts`, how a file is
 * read in `file-turn.ts` and `block-reader.ts`, what its bytes mean in the decoders.
 */
import path from 'node:path'
import { RE2JS } from 're2js'
import { LogboomError } from '../../server/core/errors.ts'
import type { ConfigOf, Fields } from '../../server/core/fields.ts'
import type { InputContext, Listener, Protocol } from '../protocol.ts'
import { BlockReader } from './block-reader.ts'
import { ContainerDecoder } from './container-decoder.ts'
import { dockerLineReader, readCriLine } from './container-line.ts'
import type { Decoder } from './decoder.ts'
import type { PathPair } from './event-writer.ts'
import { LIMITS } from './limits.ts'
import { type DecoderOptions, jsonWriter, LineDecoder, messageWriter } from './line-decoder.ts'
import { type IsFirstLine, MultilineDecoder } from './multiline-decoder.ts'
import { Tailing } from './tailing.ts'

const fields = {
  path: {
    kind: 'strings',
    doc: 'Files to follow, absolute, with `*`, `**`, `?`, `[…]` and `{a,b}`; not the copies of `copytruncate`.',
    example: '/var/log/nginx/*.log',
  },
  exclude_path: { kind: 'strings', default: [], doc: 'Files that are not followed.', example: '/var/log/nginx/*.gz' },
  tag: {
    kind: 'string',
    doc: 'Tag of the events; `*` becomes the path with dots for slashes.',
    example: 'tail.*',
  },
  format: {
    kind: 'enum',
    of: ['none', 'json', 'docker', 'cri'],
    default: 'none',
    doc: "A line is text, kept as `message`, or a JSON object, or what Docker's json-file driver or containerd writes.",
  },
  read_from_head: {
    kind: 'boolean',
    default: false,
    doc: 'Whether the files that exist at the very first start are read from their head. Later ones always are.',
  },
  rotate_wait: {
    kind: 'duration',
    default: '5s',
    doc: 'How long a file that was rotated is still read after it last grew.',
  },
  refresh_interval: {
    kind: 'duration',
    default: '60s',
    min: '1s',
    doc: 'How often new files are looked for; in the folders of followed files they are found at once.',
  },
  path_key: { kind: 'string', optional: true, doc: 'Key of the record that takes the path of the file.' },
  multiline: {
    kind: 'group',
    doc: 'Lines that are one event.',
    fields: {
      format_firstline: {
        kind: 'string',
        optional: true,
        doc: 'Regular expression (RE2) that the first line of each event matches; for `format: none`.',
        example: '^\\d{4}-\\d\\d-\\d\\d',
      },
      flush_interval: {
        kind: 'duration',
        default: '5s',
        doc: "How long an event that may go on, or a piece of a container's line, waits for more.",
      },
    },
  },
  max_line_size: {
    kind: 'size',
    default: '1MiB',
    min: '1KiB',
    max: '8MiB',
    doc: 'Longest line; a longer one becomes several events. An event of several lines may have twice as much.',
  },
  file_limit: { kind: 'integer', default: 1_000, min: 1, max: 16_000, doc: 'Files that are followed at a time.' },
} as const satisfies Fields

type Config = ConfigOf<typeof fields>

export const protocol: Protocol<typeof fields> = {
  name: 'tail',
  summary: 'Follows log files, through rotation by rename and by copytruncate, and the files of containers.',
  fields,
  example: 'tail: { path: /var/log/nginx/*.log, tag: nginx.* }',
  listen,
}

/** Throws LogboomError LB-T001 when a path is not absolute or the pattern of the first line cannot be used. */
async function listen(config: Config, context: InputContext): Promise<Listener> {
  checkPaths(config, context)
  const isFirst = firstLinePattern(config, context)
  const readers = Array.from({ length: LIMITS.readers }, () => createReader(config, isFirst, context))
  const tailing = new Tailing({
    context,
    readers,
    patterns: config.path,
    exclude: config.exclude_path,
    tag: config.tag,
    readFromHead: config.read_from_head,
    fileLimit: config.file_limit,
    rotateWaitMs: config.rotate_wait,
    flushMs: config.multiline.flush_interval,
    refreshMs: config.refresh_interval,
  })
  await tailing.start()
  return { addresses: config.path, close: () => tailing.close() }
}

function checkPaths(config: Config, context: InputContext): void {
  for (const key of ['path', 'exclude_path'] as const) {
    const relative = config[key].find((pattern) => !path.isAbsolute(pattern))
    if (relative === undefined) continue
    throw unusable(context, key, `\`${relative}\` is not absolute`)
  }
}

function firstLinePattern({ multiline, format }: Config, context: InputContext): IsFirstLine | undefined {
  const { format_firstline: pattern } = multiline
  if (pattern === undefined) return undefined
  const key = 'multiline.format_firstline'
  if (format !== 'none') throw unusable(context, key, `\`format: ${format}\` has its own way to join lines`)
  try {
    const compiled = RE2JS.compile(pattern)
    return (line) => compiled.test(line)
  } catch (error) {
    throw unusable(context, key, (error as Error).message)
  }
}

function unusable({ name }: InputContext, key: string, reason: string): LogboomError {
  return new LogboomError('LB-T001', { input: name, key, reason })
}

function createReader(config: Config, isFirst: IsFirstLine | undefined, context: InputContext): BlockReader {
  const key = config.path_key
  const pair: PathPair | undefined = key === undefined ? undefined : { key: Buffer.from(key), path: Buffer.alloc(0) }
  const options = { lineBytes: config.max_line_size, path: pair }
  const blockBytesMax = Math.max(LIMITS.blockBytes, 2 * config.max_line_size)
  return new BlockReader({
    context,
    decoder: createDecoder(config.format, isFirst, options),
    path: pair,
    blockBytesMax,
  })
}

function createDecoder(format: Config['format'], isFirst: IsFirstLine | undefined, options: DecoderOptions): Decoder {
  if (format === 'docker') return new ContainerDecoder(options, dockerLineReader())
  if (format === 'cri') return new ContainerDecoder(options, readCriLine)
  if (format === 'json') return new LineDecoder(options, jsonWriter(options.path))
  const write = messageWriter(options.path)
  return isFirst === undefined ? new LineDecoder(options, write) : new MultilineDecoder(options, isFirst, write)
}
