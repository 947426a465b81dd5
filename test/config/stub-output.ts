/** An output with a field of each kind that matters here, so that the tests do not hang on the real ones. */
import type { Output } from '../../outputs/output.ts'
import type { Fields } from '../../server/core/fields.ts'

const fields = {
  url: { kind: 'string', doc: 'URL of the destination.', example: 'http://search:9200' },
  password: { kind: 'secret', optional: true, doc: 'Password.' },
  api_key: { kind: 'secret', optional: true, doc: 'Key.' },
  hosts: { kind: 'strings', default: ['a', 'b'], doc: 'Some hosts.' },
  limit: { kind: 'size', default: '1MiB', min: '1KiB', doc: 'Some size.' },
  tls: {
    kind: 'group',
    doc: 'TLS.',
    fields: { ca_path: { kind: 'string', optional: true, doc: 'File.' } },
  },
  servers: {
    kind: 'groups',
    optional: true,
    doc: 'Several servers.',
    fields: {
      host: { kind: 'string', doc: 'Name of the server.' },
      port: { kind: 'integer', default: 24_224, min: 0, max: 65_535, doc: 'Its port.' },
      standby: { kind: 'boolean', default: false, doc: 'Used when the others are down.' },
    },
  },
} as const satisfies Fields

export const output: Output<typeof fields> = {
  name: 'store',
  summary: 'A stub.',
  fields,
  example: 'store: { url: http://store:1 }',
  open: () => Promise.reject(new Error('a stub does not open')),
}
