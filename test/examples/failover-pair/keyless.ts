/**
 * The example's forwarder as a process that has no key: the endpoint that a container of ECS has for its role gives it
 * one. [AWS SDK, "Container credential provider"]
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { FluentClient } from '@fluent-org/logger'
import { Program } from '../../e2e/program.ts'
import { freePort } from '../../services/launchers/server-process.ts'
import { EXAMPLE, KEYS, type Stack } from './stack.ts'

const KEY_LIFE_MS = 6 * 3_600_000

export interface Forwarder {
  send(tag: string, record: object): Promise<void>
  /** How often the role's keys were asked for. */
  asked(): number
}

/** Ends with the test; its stores are those of the stack. */
export async function startForwarder(t: TestContext, stack: Stack): Promise<Forwarder> {
  const role = await startRole(t)
  const folder = mkdtempSync(path.join(tmpdir(), 'logboom-keyless-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const [forwardPort, adminPort] = [await freePort(), await freePort()]
  const secrets = path.join(EXAMPLE, 'secrets')
  const env = {
    FORWARDER_NAME: 'keyless',
    FORWARD_LISTEN: `127.0.0.1:${forwardPort}`,
    ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
    SECRETS: secrets,
    BUFFER: path.join(folder, 'buffer'),
    STORE_URL: `mongodb://127.0.0.1:${stack.portOf('STORE_PORT')}/applogs`,
    SEARCH_URL: stack.urlOf('SEARCH_PORT'),
    ARCHIVE_URL: stack.urlOf('ARCHIVE_PORT'),
    ARCHIVE_WINDOW: '2s',
    ARCHIVE_GRACE: '1s',
    AWS_CONTAINER_CREDENTIALS_FULL_URI: role.url,
    // No other place where the SDK would look before.
    AWS_ACCESS_KEY_ID: '',
    AWS_SECRET_ACCESS_KEY: '',
    AWS_SHARED_CREDENTIALS_FILE: path.join(folder, 'none'),
    AWS_CONFIG_FILE: path.join(folder, 'none'),
  }
  const args = ['run', '-c', path.join(EXAMPLE, 'forwarder.yaml')]
  const program = new Program({ args, folder, adminUrl: `http://127.0.0.1:${adminPort}`, forwardPort, env })
  t.after(() => program.kill())
  await program.untilReady()
  const sharedKey = readFileSync(path.join(secrets, 'forward-key'), 'utf8').trim()
  return {
    asked: role.asked,
    async send(tag, record) {
      const socket = { host: '127.0.0.1', port: forwardPort }
      const security = { clientHostname: 'check', sharedKey }
      const client = new FluentClient(tag, { socket, security, ack: { ackTimeout: 30_000 } })
      await client.emit(record)
      await client.shutdown()
    },
  }
}

/** What answers at the address of a container's role. */
async function startRole(t: TestContext) {
  let asked = 0
  const server = createServer((_, response) => {
    asked += 1
    const Expiration = new Date(Date.now() + KEY_LIFE_MS).toISOString()
    const { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey } = KEYS
    // Without a token: versitygw has no STS that would give one.
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ AccessKeyId, SecretAccessKey, Token: '', Expiration }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/role`, asked: () => asked }
}
