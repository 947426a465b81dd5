import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LoadedConfig } from '../../server/config/load.ts'
import { showConfig } from '../../server/config/show.ts'
import { COMPONENTS, loadText } from './load-text.ts'

const FULL = `
node: { id: primary, sequence: { seed: 1, step: 2 } }
admin: { listen: "[::1]:0", token: hunter2 }
shutdown_limit: 90s
buffer: { path: /tmp/no, chunk_size: 5632 }
inputs:
  one: { type: forward, listen: ":0", shared_key: hunter2, idle: 2m, key_path: /k.pem, local_listen: "unix:/s" }
  two: { type: forward, listen: ":0", connection_limit: "\${N}", keep_alive: false }
outputs:
  store: { url: "true" }
  other:
    type: store
    match: "a.** # b"
    url: "http://u:hunter2@x/$\${a}$$$$\\n\\ty"
    hosts: [ "x: y", "", "$\${z}", '"', "[" ]
    retry_limit: 0
    servers: [ { host: a }, { host: "1", standby: true } ]
    password_file: secret
  empty: { type: store, url: "", hosts: [], servers: [] }
`
const options = { environment: { N: '7' }, files: { secret: 'hunter2\n' } }

/** Code and file left out: what stays is what was configured. */
function plain({ config }: LoadedConfig): unknown {
  const { file, ...rest } = config
  const hide = (_: string, value: unknown) => (typeof value === 'string' ? value.replace('hunter2', '***') : value)
  return JSON.parse(JSON.stringify(rest, hide))
}

test('what is shown is loaded again as the same configuration, but for its secrets', async () => {
  const loaded = await loadText(FULL, options)
  const again = await loadText(showConfig(loaded))
  assert.deepEqual(plain(again), plain(loaded))
  assert.equal(showConfig(again).replace(/ *#.*$/gm, ''), showConfig(loaded).replace(/ *#.*$/gm, ''))
})

test('no secret is shown', async () => {
  assert.doesNotMatch(showConfig(await loadText(FULL, options)), /hunter2/)
})

test('what a variable with the name of a secret holds is not shown', async () => {
  const text = `inputs: {}\noutputs: { store: { url: "http://x/?key=\${API_TOKEN}", hosts: [ "\${MY_SECRET}" ] } }`
  const shown = showConfig(await loadText(text, { environment: { API_TOKEN: 'hunter2', MY_SECRET: 'hunter2' } }))
  assert.doesNotMatch(shown, /hunter2/)
  assert.match(shown, /url: "\*\*\*" +# logboom.yaml:2, API_TOKEN\n/)
})

test('each value says where it comes from', async () => {
  const text = `admin: { token_file: secret }
node: { id: "\${NAME}" }
inputs: { forward: { idle: 2s } }
outputs: { store: { url: "x$\${y}" } }
`
  const environment = { NAME: 'primary', counter_seed: '3' }
  const shown = showConfig(await loadText(text, { environment, files: { secret: 'x' } }))
  const originOf = (line: string) =>
    shown
      .split('\n')
      .find((it) => it.trimStart().startsWith(line))
      ?.split('  # ')[1]
  assert.equal(originOf('token: "***"'), 'logboom.yaml:1, from a file')
  assert.equal(originOf('id: primary'), 'logboom.yaml:2, NAME')
  assert.equal(originOf('seed: 3'), 'environment variable counter_seed')
  assert.equal(originOf('step: 1'), 'default')
  assert.equal(originOf('idle: 2s'), 'logboom.yaml:3')
  assert.equal(originOf('url: x$${y}'), 'logboom.yaml:4')
})

test('a file that is named elsewhere, and no comment in a value', async () => {
  const shown = showConfig(await loadText(COMPONENTS))
  assert.match(shown, /^# \S+logboom\.yaml\nnode:\n/)
})
