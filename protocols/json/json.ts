/** The input of JSON lines: what it is called, what can be set, and how it listens. */
import type { ConfigOf, Fields } from '../../server/core/fields.ts'
import { allowField } from '../listening/allow-list.ts'
import { listenForFrames } from '../listening/frame-input.ts'
import { checkTls, tlsFields } from '../listening/tls.ts'
import type { InputContext, Listener, Protocol } from '../protocol.ts'
import { FOREIGN, JsonIntake } from './intake.ts'
import { Lines } from './lines.ts'

const fields = {
  listen: {
    kind: 'address',
    unix: true,
    default: '127.0.0.1:5000',
    doc: 'Where it listens, for TCP and for UDP; with `tls` for TLS alone.',
    example: '0.0.0.0:5000',
  },
  tag: { kind: 'string', default: 'json', pattern: '^\\S{1,200}$', doc: 'The tag of every event.' },
  message_size_limit: {
    kind: 'size',
    default: '1MiB',
    min: '1KiB',
    max: '8MiB',
    doc: 'Bytes of a line; one that is longer is cut, kept as `message`, and counted.',
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
  name: 'json',
  summary: "Takes JSON objects, one a line, over TCP, TLS and UDP, as logspout's logstash adapter sends them.",
  fields,
  example: 'json: { listen: 0.0.0.0:5000 }',
  check: ({ tls }) => checkTls(tls),
  listen,
}

function listen(config: ConfigOf<typeof fields>, context: InputContext): Promise<Listener> {
  const { tag, message_size_limit: lineBytes } = config
  const now = () => context.clock.now()
  return listenForFrames({
    ...{ config, context, takes: 'JSON', foreign: FOREIGN },
    createFraming: () => new Lines(lineBytes),
    createIntake: (gather, doorbell) => new JsonIntake({ tag, lineBytes, gather, doorbell, now }),
  })
}
