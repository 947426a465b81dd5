/** An input with a field of each kind that matters here, so that the tests do not hang on the real ones. */
import type { Protocol } from '../../protocols/protocol.ts'
import type { Fields } from '../../server/core/fields.ts'

const fields = {
  listen: { kind: 'address', default: '127.0.0.1:24224', doc: 'Where it listens.', example: '0.0.0.0:24224' },
  shared_key: { kind: 'secret', optional: true, doc: 'Key that clients must know.' },
  connection_limit: { kind: 'integer', default: 1_000, min: 1, max: 5_000, doc: 'Connections at a time.' },
  keep_alive: { kind: 'boolean', default: true, doc: 'Whether connections are kept.' },
  local_listen: { kind: 'address', unix: true, optional: true, doc: 'Another place where it listens.' },
  key_path: { kind: 'path', optional: true, doc: 'File of a key.' },
  open_key: { kind: 'secret', optional: true, mayBeEmpty: true, doc: 'Key that may be known to all.' },
  idle: { kind: 'duration', default: '60s', min: '1s', max: '1h', doc: 'Longest silence.' },
} as const satisfies Fields

export const protocol: Protocol<typeof fields> = {
  name: 'forward',
  summary: 'A stub.',
  fields,
  example: 'forward: { listen: 0.0.0.0:24224 }',
  check: ({ key_path, local_listen }) => {
    if (key_path === undefined || local_listen !== undefined) return []
    return [
      {
        key: ['key_path'],
        code: 'LB-C014',
        details: { other: 'local_listen', why: 'The key is of that address.' },
      },
    ]
  },
  listen: () => Promise.reject(new Error('a stub does not listen')),
}
