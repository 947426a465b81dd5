/** The syslog input: what it is called, what can be set, and how it listens. */
import type { ConfigOf, Fields } from '../../server/core/fields.ts'
import { allowField } from '../listening/allow-list.ts'
import { listenForFrames } from '../listening/frame-input.ts'
import { checkTls, tlsFields } from '../listening/tls.ts'
import type { InputContext, Listener, Protocol } from '../protocol.ts'
import { BsdTime, parseZone } from './bsd-time.ts'
import { SyslogFraming } from './framing.ts'
import { FOREIGN, SyslogIntake } from './intake.ts'

const fields = {
  listen: {
    kind: 'address',
    unix: true,
    default: '127.0.0.1:5140',
    doc: 'Where it listens, for TCP and for UDP; with `tls` for TLS alone.',
    example: '0.0.0.0:5140',
  },
  tag: {
    kind: 'string',
    default: 'syslog',
    pattern: '^\\S{1,200}$',
    doc: 'What the tags begin with: `<tag>.<facility>.<severity>`, for instance `syslog.daemon.err`.',
  },
  timezone: {
    kind: 'string',
    default: 'local',
    pattern: '^(local|utc|[+-][01]\\d:[0-5]\\d)$',
    doc: 'Zone of times that name none (RFC 3164): `local` is that of this machine; else `utc`, or as `+01:00`.',
  },
  message_size_limit: {
    kind: 'size',
    default: '64KiB',
    min: '1KiB',
    max: '8MiB',
    doc: 'Bytes of a message that are kept; what is over is cut off, and counted.',
  },
  receive_buffer: {
    kind: 'size',
    default: '4MiB',
    min: '64KiB',
    max: '1GiB',
    doc: 'Memory that the kernel keeps for datagrams that are not read yet.',
  },
  connection_limit: {
    kind: 'integer',
    default: 10_000,
    min: 1,
    doc: 'Connections that may be open at a time; more are turned away.',
  },
  allow: allowField,
  tls: tlsFields,
} as const satisfies Fields

export const protocol: Protocol<typeof fields> = {
  name: 'syslog',
  summary: 'Takes syslog messages of both standards (RFC 3164, RFC 5424) over UDP, TCP and TLS.',
  fields,
  example: 'syslog: { listen: 0.0.0.0:5140 }',
  check: ({ tls }) => checkTls(tls),
  listen,
}

function listen(config: ConfigOf<typeof fields>, context: InputContext): Promise<Listener> {
  const { tag, timezone, message_size_limit: messageBytes } = config
  const bsdTime = new BsdTime(parseZone(timezone))
  const now = () => context.clock.now()
  return listenForFrames({
    ...{ config, context, takes: 'syslog', foreign: FOREIGN },
    createFraming: () => new SyslogFraming(messageBytes),
    createIntake: (gather, doorbell) => new SyslogIntake({ tag, messageBytes, bsdTime, gather, doorbell, now }),
  })
}
