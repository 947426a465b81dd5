import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import type { ConfigErrors } from '../../server/config/config-errors.ts'
import { loadConfig, loadWithPlaces, withPlace } from '../../server/config/load.ts'
import { LogboomError } from '../../server/core/errors.ts'
import { COMPONENTS, loadText, STUBS, withFiles } from './load-text.ts'

const codesOf = (error: unknown) => (error as ConfigErrors).problems.map(({ code }) => code)

test('what is left out has its default, in base units', async () => {
  const { config } = await loadText(COMPONENTS)
  const { inputs, outputs, file, buffer, ...rest } = config
  assert.deepEqual(rest, {
    node: { id: hostname(), sequence: { seed: 1, step: 1 } },
    admin: { listen: { host: '127.0.0.1', port: 8686 } },
    log: { level: 'info' },
    shutdownLimitMs: 30_000,
    ...{ filters: [], tests: [] },
  })
  const { path: bufferPath, ...limits } = buffer
  assert.equal(bufferPath, path.join(path.dirname(file!), 'logboom-data'))
  assert.deepEqual(limits, {
    chunkSizeBytes: 16_777_216,
    maxSizeBytes: 2_147_483_648,
    ack: 'durable',
    kafka: undefined,
  })
  const [input] = inputs
  assert.deepEqual([input?.name, input?.type, input?.protocol.name], ['forward', 'forward', 'forward'])
  assert.deepEqual(input?.options, {
    listen: { host: '127.0.0.1', port: 24224 },
    ...{ connection_limit: 1_000, keep_alive: true, idle: 60_000 },
  })
  const { output, options, ...common } = outputs[0]!
  assert.equal(output.name, 'store')
  assert.deepEqual(options, { url: 'http://store:1', hosts: ['a', 'b'], limit: 1_048_576, tls: {} })
  assert.deepEqual(common, {
    ...{ name: 'store', type: 'store', module: STUBS.outputs.store, match: '**', filters: [] },
    batch: { sizeBytes: 2_097_152, events: 50_000, ageMs: 200 },
    ...{ retry: { limit: undefined, maxIntervalMs: 60_000 }, deadLettersMaxBytes: 256 * 2 ** 20, onLag: 'block' },
    ...{ secondary: undefined, isSpare: false, parkLimitBytes: 2 ** 30 },
    lagLimit: { bytes: undefined, ageMs: undefined },
  })
})

test('every value that is written is taken', async () => {
  const { config } = await loadText(`
node: { id: primary, sequence: { seed: 2, step: 4 } }
admin: { listen: "[::1]:1", token: t }
log: { level: debug }
shutdown_limit: 1m
buffer: { path: /var/lib/logboom, chunk_size: 1MiB, max_size: 4194304, ack: written }
inputs:
  one: { type: forward, listen: ":3", shared_key: k, idle: 90s }
  two: { type: forward, listen: "localhost:2" }
outputs:
  search:
    type: store
    match: "a.** {b,c}"
    batch: { size: 2KiB, events: 7, age: 0s }
    retry_limit: 3
    url: http://x
    hosts: single
    servers: [ { host: p }, { host: s, standby: true } ]
`)
  assert.deepEqual(config.node, { id: 'primary', sequence: { seed: 2, step: 4 } })
  assert.deepEqual(config.admin, { listen: { host: '::1', port: 1 }, token: 't' })
  assert.equal(config.shutdownLimitMs, 60_000)
  assert.deepEqual(config.buffer, {
    ...{
      path: '/var/lib/logboom',
      chunkSizeBytes: 1_048_576,
      maxSizeBytes: 4_194_304,
      ack: 'written',
      kafka: undefined,
    },
  })
  assert.deepEqual(
    config.inputs.map(({ name }) => name),
    ['one', 'two'],
  )
  const [output] = config.outputs
  assert.deepEqual(
    [output?.match, output?.batch, output?.retry.limit],
    ['a.** {b,c}', { sizeBytes: 2_048, events: 7, ageMs: 0 }, 3],
  )
  const options = output!.options as { hosts: unknown; servers: unknown }
  assert.deepEqual(options.hosts, ['single'])
  assert.deepEqual(options.servers, [
    { host: 'p', port: 24_224, standby: false },
    { host: 's', port: 24_224, standby: true },
  ])
})

test('files start at the folder of the configuration, Unix sockets at the root, and a key may be empty', async () => {
  const text = 'inputs: { forward: { key_path: a/key.pem, local_listen: "unix:/run/log.sock", open_key: "" } }'
  const { config } = await loadText(`${text}\noutputs: { store: { url: x } }`)
  const { key_path, local_listen, open_key } = config.inputs[0]!.options as Record<string, unknown>
  assert.equal(key_path, path.join(path.dirname(config.file!), 'a/key.pem'))
  assert.deepEqual([local_listen, open_key], [{ path: '/run/log.sock' }, ''])
})

test('a text that may be left out is left out where its variable is empty or not there', async () => {
  const text = `node: { id: "\${ID:-}" }\n${COMPONENTS}`
  for (const environment of [{}, { ID: '' }]) {
    assert.equal((await loadText(text, { environment })).config.node.id, hostname())
  }
  assert.equal((await loadText(text, { environment: { ID: 'a' } })).config.node.id, 'a')
})

test('options are plain data that crosses to a thread', async () => {
  const { config } = await loadText(COMPONENTS)
  for (const { options } of [...config.inputs, ...config.outputs]) assert.deepEqual(structuredClone(options), options)
})

test('without a file the embedded default runs, on this machine only', async () => {
  await withFiles({}, async (directory) => {
    const { config, shown, placeOf } = await loadWithPlaces({ directory, environment: {} })
    assert.deepEqual([config.file, shown, placeOf(['inputs', 'forward'])], [undefined, undefined, undefined])
    assert.equal(config.buffer.path, path.join(directory, 'logboom-data'))
    assert.deepEqual(
      config.inputs.map(({ type, options }) => [type, (options as { listen: object }).listen]),
      [
        ['forward', { host: '127.0.0.1', port: 24224 }],
        ['gelf', { host: '127.0.0.1', port: 12201 }],
        ['http', { host: '127.0.0.1', port: 9880 }],
      ],
    )
    assert.deepEqual(
      config.outputs.map(({ type, match }) => [type, match]),
      [['local', '**']],
    )
  })
})

test('the file: the one that is named, LOGBOOM_CONFIG, then ./logboom.yaml', async () => {
  const named = (id: string) => `node: { id: ${id} }\n${COMPONENTS}`
  await withFiles({ 'a.yaml': named('a'), 'b.yaml': named('b'), 'logboom.yaml': named('c') }, async (directory) => {
    const idOf = async (file?: string, environment = {}) =>
      (await loadConfig({ ...STUBS, directory, file, environment })).node.id
    assert.equal(await idOf('a.yaml', { LOGBOOM_CONFIG: 'b.yaml' }), 'a')
    assert.equal(await idOf(undefined, { LOGBOOM_CONFIG: 'b.yaml' }), 'b')
    assert.equal(await idOf(), 'c')
    assert.equal(await idOf(undefined, { LOGBOOM_CONFIG: '' }), 'c')
    for (const file of ['none.yaml', '.']) {
      await assert.rejects(idOf(file), (error) => codesOf(error)[0] === 'LB-C006', file)
    }
  })
})

test('a file that is too large is refused unread', async () => {
  await assert.rejects(loadText(`# ${'x'.repeat(1_100_000)}`), (error) => codesOf(error)[0] === 'LB-C006')
})

test('variables: text stays text, numbers and booleans are read where the field is one', async () => {
  const ref = (name: string) => `"\${${name}}"`
  const text = `
inputs: { forward: { shared_key: ${ref('KEY')}, connection_limit: ${ref('N')}, keep_alive: ${ref('YES')} } }
outputs: { store: { url: ${ref('N')}, type: ${ref('TYPE')}, servers: [ { host: ${ref('KEY')}, port: ${ref('N')} } ] } }
`
  const { config } = await loadText(text, { environment: { KEY: '0123', N: '42', YES: 'false', TYPE: 'store' } })
  const { shared_key, connection_limit, keep_alive } = config.inputs[0]!.options as Record<string, unknown>
  assert.deepEqual([shared_key, connection_limit, keep_alive], ['0123', 42, false])
  const { url, servers } = config.outputs[0]!.options as Record<string, unknown>
  assert.deepEqual([url, servers], ['42', [{ host: '0123', port: 42, standby: false }]])
})

test('a secret is read from its file, relative to the configuration, without the last newline', async () => {
  const text = `admin: { token_file: token }\n${COMPONENTS}`
  assert.equal((await loadText(text, { files: { token: 'one two\n' } })).config.admin.token, 'one two')
  assert.equal((await loadText(text, { files: { token: 'x\r\n' } })).config.admin.token, 'x')
})

test('the environment numbers the events, before the file', async () => {
  const text = `node: { sequence: { seed: 5, step: 6 } }\n${COMPONENTS}`
  const environment = { counter_seed: '2', counter_increment: '3' }
  assert.deepEqual((await loadText(text, { environment })).config.node.sequence, { seed: 2, step: 3 })
  const { config } = await loadText(text, { environment: { counter_seed: '', counter_increment: '3' } })
  assert.deepEqual(config.node.sequence, { seed: 5, step: 3 })
  const bad = loadText(text, { environment: { counter_seed: 'x', counter_increment: '0' } })
  await assert.rejects(bad, (error) => {
    assert.deepEqual(codesOf(error), ['LB-C008', 'LB-C008'])
    assert.match((error as Error).message, /counter_seed \(environment\)/)
    return true
  })
})

test('anchors and aliases are followed, in values and in places', async () => {
  const { config, placeOf } = await loadText(`
inputs:
  one: &one { type: forward, listen: 127.0.0.1:0, idle: 2s }
  two: *one
outputs: { store: { url: http://x } }
`)
  assert.deepEqual(config.inputs[1]?.options, config.inputs[0]?.options)
  assert.equal(placeOf(['inputs', 'two', 'idle'])?.line, 3)
})

test('a fault that shows later gets its place, where the key is written', async () => {
  const loaded = await loadText(`inputs:\n  forward: { listen: 127.0.0.1:5 }\n${COMPONENTS.split('\n')[1]}`)
  const details = { address: '127.0.0.1:5', key: 'inputs.forward.listen' }
  const placed = withPlace(new LogboomError('LB-S001', details), loaded) as LogboomError
  assert.deepEqual(placed.place, {
    ...{ file: 'logboom.yaml', line: 2, column: 22, length: 11 },
    source: '  forward: { listen: 127.0.0.1:5 }',
  })
  assert.equal(placed.message, '127.0.0.1:5 is taken by another process')
  const other = new Error('x')
  assert.equal(withPlace(other, loaded), other)
  assert.equal(withPlace(placed, loaded), placed)
})

test('an empty map of inputs only delivers; an empty map of outputs is a mistake', async () => {
  const { config } = await loadText('inputs: {}\noutputs: { store: { url: x } }')
  assert.deepEqual(config.inputs, [])
  await assert.rejects(loadText('inputs: {}\noutputs: {}'), (error) => codesOf(error).join() === 'LB-C003')
})

test('two inputs may have port 0, and different ports of one address', async () => {
  const { config } = await loadText(`
inputs:
  a: { type: forward, listen: 127.0.0.1:0 }
  b: { type: forward, listen: 127.0.0.1:0 }
  c: { type: forward, listen: 127.0.0.1:8687 }
outputs: { store: { url: x } }
`)
  assert.equal(config.inputs.length, 3)
})
