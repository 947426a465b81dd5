import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { runProgram } from './run-program.ts'

test('healthcheck is 0 when the server answers well, else 1 with the reason', async () => {
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/livez' ? 200 : 503
    response.end('text')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  try {
    const alive = await runProgram('healthcheck', '--url', `${url}/`)
    assert.deepEqual([alive.exitCode, alive.output, alive.talk], [0, 'ok\n', ''])
    const ready = await runProgram('healthcheck', '--ready', '--url', url)
    assert.deepEqual([ready.exitCode, ready.output, ready.talk], [1, '', `${url}/readyz: it answers HTTP 503\n`])
  } finally {
    server.close()
    await once(server, 'close')
  }
  const gone = await runProgram('healthcheck', '--url', url)
  assert.deepEqual([gone.exitCode, gone.output], [1, ''])
  assert.match(gone.talk, /\/livez: \S/)
  const wrong = await runProgram('healthcheck', '--url', 'nonsense')
  assert.deepEqual([wrong.exitCode, wrong.output], [1, ''])
})
