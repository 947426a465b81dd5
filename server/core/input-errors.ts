/** The rows of the errors table that belong to the doorbell (D), HTTP (H), syslog and JSON lines (L). */
import type { ErrorSpec } from './errors.ts'

export const INPUT_ERRORS = {
  'LB-D001': {
    name: 'WrongProtocol',
    rejected: 'wrong_protocol',
    text: '{peer} spoke {spoken} on the {takes} port of `{input}`',
    help: '{hint}',
  },
  'LB-D002': {
    name: 'TlsOnPlainPort',
    rejected: 'wrong_protocol',
    text: '{peer} spoke TLS to the plain port of `{input}`',
    help: 'Set `inputs.{input}.tls`, or turn TLS off in the client.',
  },
  'LB-D010': {
    name: 'NotAllowed',
    rejected: 'denied',
    text: '{peer} was turned away: its address is in no network that may connect',
    help: 'Add it to `inputs.{input}.allow` if it is yours.',
  },
  'LB-D011': {
    name: 'TooManyConnections',
    rejected: 'too_many_connections',
    text: '{peer} was turned away: {limit} connections are open',
    help: 'Raise `inputs.{input}.{setting}` and the limit of open files.',
  },
  'LB-D012': {
    name: 'NoTls',
    rejected: 'tls',
    text: '{peer} failed the TLS handshake: {reason}',
    help: 'Both ends must speak TLS and trust the certificate of the other; `inputs.{input}.tls` sets this end.',
  },
  'LB-D013': {
    name: 'FilesShort',
    rejected: 'too_many_connections',
    text: '{peer} was turned away: of {limit} files that may be open the rest is kept for the buffer and the outputs',
    help: 'Raise the limit of open files (`ulimit -n`, `LimitNOFILE=`), or set `inputs.{input}.connection_limit`.',
  },

  'LB-H001': {
    name: 'BadBody',
    rejected: 'malformed',
    text: 'the body cannot be read at {place}: {reason}',
    help: 'Nothing of this request was stored; mend it and send it again.',
  },
  'LB-H002': {
    name: 'BodyTooLarge',
    rejected: 'oversize',
    text: 'more than {limit} bytes',
    help: 'Nothing of this request was stored. Send less at a time, or raise `inputs.{input}.{setting}`.',
  },
  'LB-H003': {
    name: 'BadTag',
    rejected: 'bad_tag',
    text: 'the path gives no tag: {reason}',
    help: 'Send to `/<tag>`: its parts with slashes or dots between, 1 to 1,024 bytes.',
  },
  'LB-H004': {
    name: 'BadParameter',
    rejected: 'malformed',
    text: '`{parameter}` cannot be used: {reason}',
    help: 'Nothing of this request was stored; mend it and send it again.',
  },
  'LB-H005': {
    name: 'UnknownMedia',
    rejected: 'unsupported',
    text: '{header} `{value}` is not taken',
    help: 'It must be {known}.',
  },
  'LB-H006': {
    name: 'TooBusy',
    rejected: 'buffer',
    text: 'no room for more just now: requests wait for the disk',
    help: 'Send it again after the time in Retry-After; nothing of it was stored.',
  },
  'LB-H007': {
    name: 'BodyUnpacksTooLarge',
    rejected: 'bomb',
    text: 'the body unpacks to more than {limit} bytes',
    help: 'Send less at a time, or raise `inputs.{input}.decompression_size_limit` if this client is to be trusted.',
  },
  'LB-H008': {
    name: 'WrongToken',
    rejected: 'denied',
    text: '{peer} sent no token, or a wrong one',
    help: 'Send `Authorization: Bearer TOKEN`; it is `inputs.{input}.token`.',
  },
  'LB-H009': {
    name: 'ForeignOrigin',
    rejected: 'denied',
    text: 'a page of {origin} may not send events',
    help: 'Add it to `inputs.{input}.cors_allow_origins` if it is yours.',
  },
  'LB-H010': {
    name: 'NoSuchRoute',
    rejected: 'unsupported',
    text: '{method} is not taken here',
    help: 'Events are sent with `POST /<tag>`; `GET /` says whether it is there.',
  },
  'LB-H011': {
    name: 'RequestNotStored',
    rejected: 'buffer',
    text: 'the events could not be stored: {reason}',
    help: 'Send them again after the time in Retry-After.',
  },
  'LB-H012': {
    name: 'RequestCut',
    rejected: 'truncated',
    text: '{peer} went away within a request',
    help: 'Nothing of it was stored.',
  },

  'LB-L001': {
    name: 'NotSyslog',
    rejected: 'unparsed',
    text: '{peer} sent what is no syslog message',
    help: 'It was kept whole as `message`, under the tag `{tag}`.',
  },
  'LB-L002': {
    name: 'NotJsonLine',
    rejected: 'unparsed',
    text: '{peer} sent a line that is no JSON object: {reason}',
    help: 'It was kept whole as `message`.',
  },
  'LB-L003': {
    name: 'MessageCut',
    rejected: 'oversize',
    text: '{peer} sent a message of more than {limit} bytes',
    help: 'It was cut there and kept. Raise `inputs.{input}.message_size_limit`.',
  },
  'LB-L004': {
    name: 'MessagesLost',
    rejected: 'buffer',
    text: 'messages of {peer} are lost: {reason}',
    help: 'Nobody sends them again. See `logboom status` for the buffer, and the disk.',
  },
  'LB-L005': {
    name: 'StalledMidMessage',
    rejected: 'idle',
    text: '{peer} was disconnected: it stalled within a message while memory was short',
    help: 'What came of the message was kept. A client sends whole messages, each ended.',
  },
} as const satisfies Record<string, ErrorSpec>
