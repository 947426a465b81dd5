/**
 * The rows of the errors table that belong to the inputs: Forward (F), GELF (G), tail (T), the doorbell (D), HTTP (H),
 * syslog and JSON lines (L).
 */
import type { ErrorSpec } from './errors.ts'

export const INPUT_ERRORS = {
  'LB-F001': {
    name: 'Malformed',
    text: '{peer} sent what is not Forward: {reason}',
    help: 'The connection was closed without an ack; a client that asks for acks sends again.',
  },
  'LB-F002': {
    name: 'Oversize',
    text: '{peer} sent a message of more than {limit}',
    help: 'Raise `inputs.{input}.chunk_size_limit`, or let the client send smaller chunks.',
  },
  'LB-F004': {
    name: 'SharedKeyMismatch',
    rejected: 'unauthorized',
    text: '{peer} sent another shared_key',
    help: 'That of this end is set by `inputs.{input}.shared_key`, or by its entry of `clients`.',
  },
  'LB-F005': {
    name: 'UnpacksTooLarge',
    text: '{peer} sent a message that unpacks to more than {limit}',
    help: 'Raise `inputs.{input}.decompression_size_limit` if this client is to be trusted.',
  },
  'LB-F006': {
    name: 'NotStored',
    text: 'events of {peer} could not be stored: {reason}',
    help: 'The connection was closed without an ack; a client that asks for acks sends again.',
  },
  'LB-F007': {
    name: 'LeftOut',
    text: '{peer} sent what is no event: {reason}',
    help: 'It was left out and counted; the rest was kept and acknowledged.',
  },
  'LB-F008': {
    name: 'Stalled',
    text: '{peer} was disconnected: {reason}',
    help: 'What was not acknowledged is sent again by a client that asks for acks.',
  },
  'LB-F009': {
    name: 'UserMismatch',
    rejected: 'unauthorized',
    text: '{peer} sent a username or password that is not known',
    help: 'Those of this end are `inputs.{input}.users`; `clients` may narrow them down.',
  },
  'LB-F010': {
    name: 'SourceDenied',
    rejected: 'unauthorized',
    text: '{peer} is none of the clients that may send',
    help: 'Add it to `inputs.{input}.clients`, or set `allow_anonymous_source: true`.',
  },
  'LB-F011': {
    name: 'NoPing',
    rejected: 'unauthorized',
    text: '{peer} sent something else than the PING of the handshake',
    help: 'A client must know the `shared_key` of `inputs.{input}`; the fluentd log driver of Docker has no key.',
  },
  'LB-F012': {
    name: 'HandshakeTimeout',
    rejected: 'unauthorized',
    text: '{peer} did not finish the handshake within {limit}',
    help: 'A client must know the `shared_key` of `inputs.{input}`; it was disconnected.',
  },
  'LB-F013': {
    name: 'FarTime',
    text: '{peer} sends times far in the future, as milliseconds are that are taken for seconds',
    help: 'Its events get the time of receipt. If they are milliseconds, set `inputs.{input}.time_unit: ms`.',
  },
  'LB-F014': {
    name: 'UnreadAcks',
    text: '{peer} asks for acknowledgements and does not read them: it gets no more',
    help: 'More than {limit} of them wait for it. Its events are stored; acknowledgements follow again once it reads.',
  },

  'LB-G001': {
    name: 'ChunkMissing',
    rejected: 'chunk_missing',
    text: '{peer}: GELF chunk {missing} of {count} never came',
    help: 'The message is lost. Datagrams get lost under load and on the way; send over TCP, or smaller messages.',
  },
  'LB-G002': {
    name: 'TooManyChunks',
    rejected: 'chunk_limit',
    text: '{peer} has too many messages in chunks: one without chunk {missing} of {count} was given up',
    help: 'Raise `inputs.{input}.pending_size_limit` if these senders are yours.',
  },
  'LB-G003': {
    name: 'NoGelf',
    rejected: 'malformed',
    text: '{peer} sent what is no GELF: {reason}',
    help: 'It was left out and counted; the other messages were kept.',
  },
  'LB-G004': {
    name: 'GelfTooLarge',
    rejected: 'oversize',
    text: '{peer} sent a message of more than {limit} bytes',
    help: 'Raise `inputs.{input}.message_size_limit`.',
  },
  'LB-G005': {
    name: 'GelfBomb',
    rejected: 'bomb',
    text: '{peer} sent a message that unpacks to more than {limit} bytes',
    help: 'Raise `inputs.{input}.decompression_size_limit`; 250 times its size is the most in any case.',
  },
  'LB-G006': {
    name: 'GelfNotStored',
    rejected: 'buffer',
    text: 'a message of {peer} could not be stored: {reason}',
    help: 'It was answered 503; the client may send it again.',
  },
  'LB-G007': {
    name: 'UnknownPeer',
    rejected: 'unknown_peer',
    text: '{peer} sent a chunk as one of the peers, and is none: {reason}',
    help: 'All instances need the same `inputs.{input}.peers.members`, with the addresses that they send from.',
  },
  'LB-G008': {
    name: 'ForgedEnvelope',
    rejected: 'bad_signature',
    text: '{peer} sent as `{member}` what was made with another shared_key',
    help: 'All instances need the same `inputs.{input}.peers.shared_key`; if they have it, somebody forges.',
  },
  'LB-G009': {
    name: 'StaleEnvelope',
    rejected: 'stale',
    text: '{peer} sent as `{member}` what is too old, or came already',
    help: 'The clocks of the instances may differ by 30 s. If they do not, somebody repeats what was sent.',
  },
  'LB-G010': {
    name: 'PeerUnreachable',
    rejected: 'peer_unreachable',
    text: 'chunks for `{peer}`, which owns their messages, may be lost: {reason}',
    help: 'See whether it runs, and whether its entry in `inputs.{input}.peers.members` can be reached over UDP.',
  },

  'LB-T001': {
    name: 'TailConfig',
    exit: 78,
    text: '`inputs.{input}.{key}` cannot be used: {reason}',
    help: 'Mend the configuration; nothing was read.',
  },
  'LB-T002': {
    name: 'FileUnreadable',
    text: '{path} cannot be read: {reason}',
    help: 'It is tried again; it goes on where it was.',
  },
  'LB-T003': {
    name: 'LinesNotStored',
    text: 'events of {path} could not be stored: {reason}',
    help: 'They are read again; nothing was passed over.',
  },
  'LB-T004': {
    name: 'TooManyFiles',
    text: '{path} is not followed: {limit} files are',
    help: 'Raise `inputs.{input}.file_limit`, or name fewer files.',
  },

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
