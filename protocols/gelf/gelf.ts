/** The GELF input: what it is called, what can be set, and how it listens. */
import type { ConfigFault, ConfigOf, Fields } from '../../server/core/fields.ts'
import { allowField, badNetworks, NETWORK_EXPECTED } from '../listening/allow-list.ts'
import { createDoorbell } from '../listening/doorbell.ts'
import { listenForFrames } from '../listening/frame-input.ts'
import { checkTls, tlsFields } from '../listening/tls.ts'
import type { InputContext, Listener, Protocol } from '../protocol.ts'
import { Frames } from './frames.ts'
import { FOREIGN_TO_TCP, GelfIntake, type GelfIntakeOptions } from './intake.ts'
import { checkPeers, peersField } from './peers/peer-fields.ts'
import type { Peers, PeersOptions } from './peers/peers.ts'

const fields = {
  listen: {
    kind: 'address',
    default: '127.0.0.1:12201',
    doc: 'Where it listens, for UDP and for TCP; with `tls` for TLS alone.',
    example: '0.0.0.0:12201',
  },
  transport: {
    kind: 'enum',
    of: ['udp+tcp', 'http'],
    default: 'udp+tcp',
    doc: '`http` takes `POST /gelf` instead.',
  },
  tag: { kind: 'string', default: 'gelf', pattern: '^\\S{1,200}$', doc: 'The tag of every event.' },
  message_size_limit: {
    kind: 'size',
    default: '8MiB',
    min: '1KiB',
    max: '8MiB',
    doc: 'The largest message as it is sent: of TCP, of HTTP, and of all chunks together.',
  },
  decompression_size_limit: {
    kind: 'size',
    default: '8MiB',
    min: '1KiB',
    max: '8MiB',
    doc: 'The most that a compressed message may unpack to.',
  },
  chunk_timeout: {
    kind: 'duration',
    default: '5s',
    min: '100ms',
    max: '1m',
    doc: 'How long after its first chunk the last one of a message may come.',
  },
  pending_size_limit: {
    kind: 'size',
    default: '64MiB',
    min: '1MiB',
    max: '1GiB',
    doc: 'Memory for messages of which chunks are missing; one address may have a quarter of it.',
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
  peers: peersField,
} as const satisfies Fields

export type GelfConfig = ConfigOf<typeof fields>

export const protocol: Protocol<typeof fields> = {
  name: 'gelf',
  summary: 'Takes GELF messages over UDP, TCP and HTTP, as the gelf log driver of Docker and the libraries send them.',
  fields,
  example: 'gelf: { listen: 0.0.0.0:12201 }',
  check,
  listen,
}

function check({ allow, tls, peers, transport }: GelfConfig): ConfigFault[] {
  const faults = [...checkTls(tls), ...checkPeers(peers, transport === 'udp+tcp' && tls === undefined)]
  for (const { index, text } of badNetworks(allow ?? [])) {
    faults.push({ key: ['allow', index], code: 'LB-C002', details: { ...NETWORK_EXPECTED, found: `\`${text}\`` } })
  }
  return faults
}

/** How often it is looked for messages whose chunks have not come. */
const SWEEP_MS = 500

async function listen(config: GelfConfig, context: InputContext): Promise<Listener> {
  // Imported here, so that a configuration without it does not load it.
  if (config.transport === 'http') return (await import('./http.ts')).listenHttp(config, context)
  let intake: GelfIntake | undefined
  let peers: Peers | undefined
  const listener = await listenForFrames({
    ...{ config, context, takes: 'GELF', foreign: FOREIGN_TO_TCP },
    createFraming: () => new Frames(config.message_size_limit),
    createIntake(gather, doorbell) {
      intake = createIntake(config, context, {
        gather,
        doorbell,
        ...(config.peers !== undefined && { handOn: (chunk, sender) => peers?.handOn(chunk, sender) ?? false }),
      })
      return intake
    },
  })
  const sweeping = setInterval(() => intake?.sweep(), SWEEP_MS).unref()
  const close = async () => {
    clearInterval(sweeping)
    await peers?.close()
    await listener.close()
  }
  if (config.peers === undefined) return { ...listener, close }
  try {
    peers = await openPeers(config, context, (chunk, sender) => intake!.takeHandedOn(chunk, sender))
  } catch (error) {
    await close()
    throw error
  }
  return { ...listener, addresses: [...listener.addresses, ...peers.addresses], close }
}

async function openPeers({ peers, receive_buffer }: GelfConfig, context: InputContext, take: PeersOptions['take']) {
  const module = await import('./peers/peers.ts')
  const doorbell = createDoorbell(context)
  return module.openPeers({ config: peers!, context, doorbell, receiveBufferBytes: receive_buffer, take })
}

function createIntake(
  config: GelfConfig,
  { clock }: InputContext,
  parts: Pick<GelfIntakeOptions, 'gather' | 'doorbell' | 'handOn'>,
): GelfIntake {
  return new GelfIntake({
    tag: config.tag,
    timeoutMs: config.chunk_timeout,
    messageBytes: config.message_size_limit,
    inflatedBytes: config.decompression_size_limit,
    pendingBytes: config.pending_size_limit,
    isIdEnough: config.peers !== undefined,
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    ...parts,
  })
}
