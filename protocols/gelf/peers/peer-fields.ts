/** What can be set of `peers`, and what has to fit together. */
import type { ConfigFault, ConfigOf, Field } from '../../../server/core/fields.ts'
import { LIMITS } from '../limits.ts'

export const peersField = {
  kind: 'group',
  optional: true,
  doc: 'The instances behind one balancer: each hands the others the chunks of messages that those put together.',
  fields: {
    members: {
      kind: 'groups',
      doc: 'All instances, this one among them; the same list in each.',
      fields: {
        host: { kind: 'string', doc: 'Name or address of one.', example: 'logboom-1' },
        port: { kind: 'integer', default: 12_202, min: 1, max: 65_535, doc: 'Its UDP port for the others.' },
        name: { kind: 'string', optional: true, doc: 'What it is called; else its `host`.', example: 'first' },
      },
    },
    self: { kind: 'string', doc: 'Which of the members this instance is, by its name.', example: 'logboom-1' },
    listen: {
      kind: 'address',
      doc: 'Where chunks of the others come in, over UDP; only they need to reach it.',
      example: '0.0.0.0:12202',
    },
    shared_key: {
      kind: 'secret',
      doc: 'Key that all instances share, of 16 characters or more. It proves who sends; it hides nothing.',
    },
  },
} as const satisfies Field

export type PeersConfig = ConfigOf<(typeof peersField)['fields']>
export type MemberConfig = PeersConfig['members'][number]

export const nameOf = ({ host, name }: MemberConfig): string => name ?? host

/** What `config` needs of the rest of its input. */
export function checkPeers(config: PeersConfig | undefined, isUdp: boolean): ConfigFault[] {
  if (config === undefined) return []
  const { members, self, shared_key } = config
  const names = members.map(nameOf)
  const faults: ConfigFault[] = []
  const needs = (at: ConfigFault['key'], other: string, why: string) =>
    faults.push({ key: ['peers', ...at], code: 'LB-C014', details: { other, why } })
  if (!isUdp) needs([], 'transport: udp+tcp', 'Chunks come over UDP alone; with `tls` or `http` there are none.')
  if (members.length < 2) needs(['members'], 'two members', 'With one instance there is nobody to hand chunks to.')
  if (!names.includes(self)) needs(['self'], `a member ${self}`, `The members are: ${names.join(', ')}.`)
  for (const [index, name] of names.entries()) {
    if (names.indexOf(name) === index) continue
    needs(['members', index], 'a name of its own', `There is another member \`${name}\`.`)
  }
  if (shared_key.length < LIMITS.peers.keyLength) {
    const expected = `${LIMITS.peers.keyLength} characters or more`
    const details = { expected, found: 'fewer', doc: 'For instance what `openssl rand -hex 32` prints.' }
    faults.push({ key: ['peers', 'shared_key'], code: 'LB-C008', details })
  }
  return faults
}
