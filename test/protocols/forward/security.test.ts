import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkForward, type ForwardConfig } from '../../../protocols/forward/forward-config.ts'
import { knowClients } from '../../../protocols/forward/known-clients.ts'
import { createSecurity } from '../../../protocols/forward/security.ts'
import type { Logger } from '../../../server/core/log.ts'
import { FORWARD_DEFAULTS } from './input-under-test.ts'

const alice = { username: 'alice', password: 'pa55' }
const bob = { username: 'bob', password: 'b0b' }
const client = { host: undefined, network: undefined, shared_key: undefined, users: undefined }
const known = { ...client, network: '10.0.0.0/8' }

const FAULTS: [string, Partial<ForwardConfig>, string[]][] = [
  ['nothing is asked', {}, []],
  ['a key', { shared_key: 'k' }, []],
  ['an empty key', { shared_key: '' }, []],
  ['key, users and clients', { shared_key: 'k', users: [alice], clients: [{ ...known, users: ['alice'] }] }, []],
  [
    'each client with its key, nobody else',
    { clients: [{ ...known, shared_key: 'k' }], allow_anonymous_source: false },
    [],
  ],
  ['users and no key', { users: [alice] }, ['users LB-C014']],
  ['an empty list of users and no key', { users: [] }, ['users LB-C014']],
  ['a host name and no key', { self_hostname: 'x' }, ['self_hostname LB-C014']],
  ['no anonymous source and no key', { allow_anonymous_source: false }, ['allow_anonymous_source LB-C014']],
  ['a client without a key', { clients: [known] }, ['clients LB-C014']],
  ['each client with its key, and others without', { clients: [{ ...known, shared_key: 'k' }] }, ['clients LB-C014']],
  ['a client that is nobody', { shared_key: 'k', clients: [client] }, ['clients,0,host LB-C003']],
  ['host and network', { shared_key: 'k', clients: [{ ...known, host: 'a' }] }, ['clients,0,host LB-C012']],
  ['no network', { shared_key: 'k', clients: [{ ...client, network: '10/8' }] }, ['clients,0,network LB-C002']],
  [
    'a user that is not known',
    { shared_key: 'k', users: [alice], clients: [{ ...known, users: ['alice', 'eve'] }] },
    ['clients,0,users,1 LB-C002'],
  ],
  [
    'users of a client without users',
    { shared_key: 'k', clients: [{ ...known, users: ['alice'] }] },
    ['clients,0,users LB-C014'],
  ],
  ['clients at a Unix socket', { shared_key: 'k', clients: [known], listen: { path: '/x' } }, ['clients LB-C014']],
  ['networks at a Unix socket', { allow: ['10.0.0.0/8'], listen: { path: '/x' } }, ['allow LB-C014']],
  ['what is no network', { allow: ['10.0.0.0/8', 'here'] }, ['allow,1 LB-C002']],
]
for (const [name, config, expected] of FAULTS) {
  test(`faults of a configuration: ${name}`, () => {
    const faults = checkForward({ ...FORWARD_DEFAULTS, ...config })
    assert.deepEqual(
      faults.map(({ key, code }) => `${key} ${code}`),
      expected,
    )
  })
}

test('what is configured in part never opens the door, even where its faults were not looked at', () => {
  const parts: Partial<ForwardConfig>[] = [{ users: [alice] }, { clients: [] }, { allow_anonymous_source: false }]
  for (const part of parts) {
    const security = createSecurity({ ...FORWARD_DEFAULTS, ...part })
    assert.ok(security !== undefined)
    assert.equal(security.demandOf(undefined), undefined)
  }
  assert.equal(createSecurity(FORWARD_DEFAULTS), undefined)
})

test('a client is asked for its own key and users, the others for those of the input', () => {
  const own = { ...known, shared_key: 'own', users: ['bob'] }
  const other = { ...client, network: '192.0.2.0/24' }
  const none = { ...client, network: '198.51.100.0/24', users: [] }
  const config = { ...FORWARD_DEFAULTS, shared_key: 'k', users: [alice, bob], clients: [own, other, none] }
  const { demandOf } = createSecurity(config)!
  const all = new Map(Object.entries({ alice: 'pa55', bob: 'b0b' }))
  assert.deepEqual(demandOf(own), { sharedKey: 'own', users: new Map([['bob', 'b0b']]) })
  assert.deepEqual([demandOf(other), demandOf(undefined)], Array(2).fill({ sharedKey: 'k', users: all }))
  assert.deepEqual(demandOf(none), { sharedKey: 'k', users: new Map() })
  const strict = createSecurity({ ...config, allow_anonymous_source: false })!
  assert.deepEqual([strict.demandOf(undefined), strict.demandOf(other)?.sharedKey], [undefined, 'k'])
})

test('clients are found by network, address and name, the first that fits', async () => {
  const warnings: object[] = []
  const log = { warn: (fields: object) => warnings.push(fields) } as unknown as Logger
  const clients = [
    { ...client, host: '10.0.0.1' },
    known,
    { ...client, host: 'localhost' },
    { ...client, host: 'nowhere.invalid' },
  ]
  const found = await knowClients(clients, log)
  const indexOf = (address: string | undefined) => clients.indexOf(found.find(address) as never)
  assert.deepEqual(['10.0.0.1', '10.0.0.2', '127.0.0.1', '192.0.2.1', undefined].map(indexOf), [0, 1, 2, -1, -1])
  assert.deepEqual(
    warnings.map((fields) => (fields as { host: string }).host),
    ['nowhere.invalid'],
  )
  found.close()
})
