/**
 * Every error an operator can meet, in one table: a stable code, what is said, and how to mend it.
 * `logboom explain CODE` prints from here; a test says that each is used and that no other exists.
 */

import { DEAD_LETTER_ERRORS } from './dead-letter-errors.ts'
import { INPUT_ERRORS } from './input-errors.ts'
import type { RejectReason } from './metrics.ts'

export interface ErrorSpec {
  readonly name: string
  /** `{placeholders}` are filled from the details. */
  readonly text: string
  readonly help: string
  /**
   * Exit code where the error ends the process: 64 usage, 69 unreachable, 70 internal, 73 cannot create, 74 I/O, 78
   * configuration.
   */
  readonly exit?: number
  /** Where it turns a sender away: the reason that the input counts. */
  readonly rejected?: RejectReason
}

export const ERRORS = {
  'LB-C001': { name: 'UnknownKey', exit: 78, text: 'unknown key `{key}`', help: 'Did you mean {nearest}?' },
  'LB-C002': {
    name: 'WrongType',
    exit: 78,
    text: '`{key}` must be {expected}, not {found}',
    help: 'For instance `{example}`.',
  },
  'LB-C003': { name: 'MissingKey', exit: 78, text: '`{key}` is missing', help: '{doc}' },
  'LB-C004': {
    name: 'MissingVariable',
    exit: 78,
    text: 'environment variable `{variable}` is not set',
    help: `Set it, or give a default: \`\${{variable}:-VALUE}\`.`,
  },
  'LB-C005': { name: 'NotYaml', exit: 78, text: 'not YAML: {reason}', help: 'Mend the line that is shown.' },
  'LB-C006': {
    name: 'NoConfigFile',
    exit: 78,
    text: 'cannot read {file}: {reason}',
    help: 'Name another with `-c FILE`, or start without one for the default.',
  },
  'LB-C007': {
    name: 'UnknownType',
    exit: 78,
    text: '{kind} `{name}` has the unknown type `{type}`',
    help: 'Set its `type` to {known}.',
  },
  'LB-C008': { name: 'OutOfRange', exit: 78, text: '`{key}` must be {expected}, not {found}', help: '{doc}' },
  'LB-C009': {
    name: 'SecretFile',
    exit: 78,
    text: 'cannot read the file of `{key}`: {reason}',
    help: 'The file must exist and be readable by this user.',
  },
  'LB-C010': {
    name: 'SameAddress',
    exit: 78,
    text: '`{key}` listens on {address}, which `{other}` has already',
    help: 'Give one of them another port.',
  },
  'LB-C011': {
    name: 'MalformedVariable',
    exit: 78,
    text: '`{written}` is not a variable',
    help: `Write \`\${NAME}\` or \`\${NAME:-default}\`; a dollar itself is \`$$\`.`,
  },
  'LB-C012': { name: 'GivenTwice', exit: 78, text: '`{key}` and `{other}` are both set', help: 'Keep one of them.' },
  'LB-C014': { name: 'NeedsOther', exit: 78, text: '`{key}` needs `{other}`', help: '{why}' },

  'LB-S001': {
    name: 'PortTaken',
    exit: 78,
    text: '{address} is taken by another process',
    help: 'Stop it (`ss -ltnp` shows it), or set another port at `{key}`.',
  },
  'LB-S002': {
    name: 'PortForbidden',
    exit: 78,
    text: 'may not listen on {address}: {reason}',
    help: 'Ports below 1024 need a privilege; the address must be one of this machine.',
  },
  'LB-S003': {
    name: 'ShutdownLimit',
    text: 'not all was delivered within {limit}; it stays in the buffer',
    help: 'It is delivered after the next start.',
  },
  'LB-S004': {
    name: 'OutputThreadDied',
    text: 'the thread of output `{output}` ended: {reason}',
    help: 'It is started again; nothing is lost. Report it if it comes back.',
  },
  'LB-S005': {
    name: 'Unreachable',
    exit: 69,
    text: 'no Logboom answers on {url}: {reason}',
    help: 'Is it running? Another address is given with `--url` or LOGBOOM_URL.',
  },
  'LB-S006': { name: 'Usage', exit: 64, text: '{reason}', help: '`logboom --help` shows what there is.' },
  'LB-S007': {
    name: 'Unauthorized',
    exit: 69,
    text: '{url} asks for a token',
    help: 'Give it with `--token` or LOGBOOM_TOKEN; it is `admin.token` of the server.',
  },
  'LB-S008': {
    name: 'OpenWithoutToken',
    exit: 78,
    text: '`admin.listen` is {address}, which others can reach, and `admin.token` is not set',
    help: 'Set `admin.token` (or `admin.token_file`), or listen on 127.0.0.1.',
  },
  'LB-S009': {
    name: 'NotAcknowledged',
    text: '{acked} of {sent} events were acknowledged by {address}: {reason}',
    help: 'The rest may have been lost; send it again. `logboom status` shows how the server is.',
  },
  'LB-S010': {
    name: 'Certificates',
    exit: 78,
    text: 'the certificates of `{key}` cannot be used: {reason}',
    help: 'Its files must be readable by this user, in PEM, and certificate and private key belong together.',
  },
  'LB-S011': {
    name: 'SmallReceiveBuffer',
    text: 'the kernel keeps {given} bytes of datagrams, not the {wanted} that were asked for',
    help: 'Set `sysctl -w net.core.rmem_max={wanted}`, or datagrams are dropped sooner under load.',
  },
  'LB-S012': {
    name: 'KernelDrops',
    text: 'the kernel dropped {count} datagrams that came faster than they were read',
    help: 'They are counted as `kernel_drop`. Raise net.core.rmem_max and `receive_buffer`, or send over TCP.',
  },
  'LB-S013': {
    name: 'BadListenFds',
    exit: 78,
    text: 'LISTEN_FDS is `{found}`, not a number of sockets up to {most}',
    help: 'It is set by who hands sockets over, as systemd does. Unset LISTEN_PID and LISTEN_FDS to start without.',
  },
  'LB-S014': {
    name: 'SocketWithoutInput',
    text: 'no input listens on the socket that was handed over: {socket}',
    help: 'Who sends there waits in vain. Make `listen` of an input the same as in the `.socket` unit, or take it out.',
  },

  'LB-A001': {
    name: 'BadRequest',
    text: 'not a valid request: {reason}',
    help: '/api/v1/openapi.json describes each.',
  },
  'LB-A002': { name: 'NoSuchPage', text: '{method} {path} is not here', help: '/api/v1/openapi.json lists what is.' },
  'LB-A003': {
    name: 'ForeignRequest',
    text: 'refused: {reason}',
    help: 'Use the address it listens on. For other names listen on an address of theirs, with `admin.token`.',
  },
  'LB-A004': {
    name: 'TooManyTails',
    text: '{limit} live tails are open',
    help: 'Close one, or ask /api/v1/events with `after`.',
  },
  'LB-A005': { name: 'AnswerFailed', text: 'no answer: {reason}', help: 'The log of the server says more.' },

  ...INPUT_ERRORS,
  ...DEAD_LETTER_ERRORS,

  'LB-B001': {
    name: 'BufferLocked',
    exit: 73,
    text: '{path} is used by another Logboom (process {pid})',
    help: 'Stop that one, or set another `buffer.path`.',
  },
  'LB-B002': {
    name: 'BufferForeign',
    exit: 73,
    text: '{path} holds a buffer of format {found}; this version reads {known}',
    help: 'Use the version that wrote it. Nothing was touched.',
  },
  'LB-B003': {
    name: 'BufferUnwritable',
    exit: 73,
    text: 'cannot write to {path}: {reason}',
    help: 'Free space or mend the permissions; events are not acknowledged until then.',
  },
  'LB-B004': { name: 'BufferClosed', text: 'the buffer is closing', help: 'The client sends again after the start.' },
  'LB-B005': {
    name: 'EventTooLarge',
    text: 'one event of {size} is larger than a frame may be ({limit})',
    help: 'Send smaller events.',
  },
  'LB-B006': {
    name: 'ChunkDamaged',
    text: '{file} is damaged: {events} events cannot be read',
    help: 'The rest is delivered. The damaged bytes are kept in quarantine/; look at the disk.',
  },
  'LB-B007': {
    name: 'NoBuffer',
    exit: 74,
    text: 'there is no buffer in {path}',
    help: 'Name its folder with `--path`, or the configuration with `-c FILE`.',
  },

  'LB-K001': {
    name: 'NotWithKafka',
    exit: 78,
    text: '`{key}` does not go with `buffer.type: kafka`: {why}',
    help: 'Leave it out, or use the file buffer.',
  },
  'LB-K002': {
    name: 'GroupLost',
    text: 'output `{output}` lost its consumer group: {reason}',
    help: 'It joins again by itself; what was not committed is delivered again, under the same ids.',
  },
  'LB-K003': {
    name: 'NotFetched',
    text: 'output `{output}` cannot read from Kafka: {reason}',
    help: 'It is tried again; nothing is lost while the topic keeps its records (`retention.ms`).',
  },

  'LB-O001': {
    name: 'OutputBlocked',
    text: 'output `{output}` is blocked: {reason}',
    help: 'Mend what the destination complains of; it goes on by itself, and nothing is lost.',
  },
  'LB-O002': {
    name: 'OutputRetrying',
    text: 'output `{output}` tries again in {delay}: {reason}',
    help: 'Events wait in the buffer.',
  },
  'LB-O003': {
    name: 'DeadLetter',
    text: 'output `{output}` refused an event for good: {reason}',
    help: 'It is kept with the reason: `logboom dlq show {output}`.',
  },
  'LB-O004': {
    name: 'CannotOpen',
    exit: 78,
    text: 'output `{output}` cannot be opened: {reason}',
    help: 'Mend its configuration.',
  },
  'LB-O005': {
    name: 'SliceDamaged',
    text: '{file} of the local store cannot be read: {reason}',
    help: 'Its events are missing from searches; the rest goes on. A `.damaged` file was set aside; look at the disk.',
  },
  'LB-O006': {
    name: 'StagingDamaged',
    text: 'damaged in {directory}, where objects are staged: {reason}',
    help: 'What is whole is stored. Events were acknowledged that are not there any more; look at the disk.',
  },

  'LB-Q001': {
    name: 'BadQuery',
    exit: 64,
    text: 'not a query at character {position}: {reason}',
    help: 'Words, "a phrase", -not, field:value.',
  },
  'LB-Q002': {
    name: 'NothingToSearch',
    exit: 69,
    text: 'no output of type `local` is configured',
    help: 'Add one: `outputs: { local: {} }`.',
  },
  'LB-Q003': {
    name: 'SearchUnavailable',
    exit: 69,
    text: 'the search was given up: {reason}',
    help: 'Try again, with fewer at a time or over a shorter range.',
  },
} as const satisfies Record<string, ErrorSpec>

export type ErrorCode = keyof typeof ERRORS
/** Codes that turn a sender away: those that say what is counted. */
export type KnockCode = {
  [C in ErrorCode]: (typeof ERRORS)[C] extends { readonly rejected: RejectReason } ? C : never
}[ErrorCode]
export type ErrorDetails = Readonly<Record<string, string | number>>

function fill(text: string, details: ErrorDetails): string {
  return text.replace(/\{(\w+)\}/g, (whole, key: string) => (key in details ? String(details[key]) : whole))
}

/** Where in a file the fault stands; lines and columns count from 1. */
export interface SourcePlace {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly length: number
  /** The text of the line. */
  readonly source: string
}

export class LogboomError extends Error {
  override readonly name = 'LogboomError'
  readonly code: ErrorCode
  readonly help: string
  readonly details: ErrorDetails
  readonly place: SourcePlace | undefined
  constructor(code: ErrorCode, details: ErrorDetails, options?: { place?: SourcePlace | undefined; cause?: unknown }) {
    super(fill(ERRORS[code].text, details), { cause: options?.cause })
    this.code = code
    this.help = fill(ERRORS[code].help, details)
    this.details = details
    this.place = options?.place
  }
  get exitCode(): number {
    const spec: ErrorSpec = ERRORS[this.code]
    return spec.exit ?? 1
  }
}
