/** The HTTP input: what it is called, what can be set, and how it listens. */
import type { ConfigOf, Fields } from '../../server/core/fields.ts'
import { acceptHttp } from '../listening/accept-http.ts'
import { allowField, createAllowList } from '../listening/allow-list.ts'
import { createDoorbell } from '../listening/doorbell.ts'
import { listenStream } from '../listening/listen-stream.ts'
import { checkTls, tlsFields } from '../listening/tls.ts'
import type { InputContext, Listener, Protocol } from '../protocol.ts'
import { LIMITS } from './limits.ts'

const fields = {
  listen: {
    kind: 'address',
    unix: true,
    default: '127.0.0.1:9880',
    doc: 'Where it listens, for HTTP; with `tls` for HTTPS.',
    example: '0.0.0.0:9880',
  },
  tag: {
    kind: 'string',
    optional: true,
    pattern: '^\\S{1,200}$',
    doc: "The tag of every event; where it is left out, the request's path with dots for slashes.",
  },
  add_tag_prefix: {
    kind: 'string',
    optional: true,
    pattern: '^\\S{1,200}$',
    doc: 'Put before the tag, with a dot between.',
    example: 'http',
  },
  token: { kind: 'secret', optional: true, doc: 'Bearer token that is asked for.' },
  cors_allow_origins: {
    kind: 'strings',
    default: [],
    doc: 'Origins of web pages that may send events; `*` is every one. Others are refused.',
    example: '[https://shop.example]',
  },
  body_size_limit: {
    kind: 'size',
    default: '32MiB',
    min: '1KiB',
    max: '1GiB',
    doc: 'The largest body, as it is sent; a larger one is answered 413.',
  },
  decompression_size_limit: {
    kind: 'size',
    default: '256MiB',
    min: '1KiB',
    doc: 'The most that a compressed body may unpack to.',
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
  name: 'http',
  summary: 'Takes events over HTTP, `POST /<tag>`, in JSON, NDJSON or msgpack, as in_http of fluentd does.',
  fields,
  example: 'http: { listen: 0.0.0.0:9880 }',
  check: ({ tls }) => checkTls(tls),
  listen,
}

async function listen(config: ConfigOf<typeof fields>, context: InputContext): Promise<Listener> {
  const doorbell = createDoorbell(context)
  // Imported here, so that a configuration without this input does not load it.
  const { createHttpServer } = await import('./server.ts')
  const http = await createHttpServer(config, context, doorbell)
  const stream = await listenStream({
    listen: config.listen,
    key: `inputs.${context.name}.listen`,
    tls: config.tls,
    allow: config.allow && createAllowList(config.allow),
    connectionLimit: config.connection_limit,
    context,
    accept: (socket) => acceptHttp(http.server, socket, LIMITS.closingMs),
    knocked: ({ peer, code, details }) => doorbell.knocked(peer, code, details),
  })
  const close = async () => {
    http.drain()
    await stream.close()
    await http.close()
  }
  let closing: Promise<void> | undefined
  return {
    addresses: stream.addresses.map((address) => address.replace(/ tcp$/, ' http').replace(/ tls$/, ' https')),
    reload: () => stream.reload(),
    close: () => (closing ??= close()),
  }
}
