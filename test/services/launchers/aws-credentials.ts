/**
 * Where AWS credentials come from, on 127.0.0.1: the security token service, the metadata of an instance, and those of
 * a container. Each gives keys of its own, so that one can tell by a key where it came from. [AWS STS API Reference;
 * "Use IMDSv2", Amazon EC2 User Guide; "Container credential provider", AWS SDKs Reference Guide]
 */
import http from 'node:http'
import type { AddressInfo } from 'node:net'

const ROLE = 'grid-agent'
const METADATA = '/latest/meta-data/iam/security-credentials/'
const TOKEN = 'metadata-token'

/** What was asked for at STS. */
export interface RoleRequest {
  readonly action: string
  readonly role: string
  readonly externalId: string | undefined
  readonly webIdentity: string | undefined
  /** Id of the key the request was signed with; empty: it was not signed. */
  readonly signedWith: string
}

export interface CredentialSources {
  readonly url: string
  readonly roles: readonly RoleRequest[]
  /** How long the keys are good that are given from now on, seconds; the SDK asks anew five minutes before. */
  lifetimeSeconds: number
  close(): Promise<void>
}

export async function startCredentialSources(): Promise<CredentialSources> {
  const roles: RoleRequest[] = []
  const state = { lifetimeSeconds: 3_600 }
  const expiration = () => new Date(Date.now() + state.lifetimeSeconds * 1_000).toISOString()
  const server = http.createServer(async (request, response) => {
    const answer = (status: number, body: string) => response.writeHead(status).end(body)
    const give = (from: string) => answer(200, JSON.stringify({ ...keysOf(from), Expiration: expiration() }))
    const body = await textOf(request)
    if (request.url === '/container') return give('CONTAINER')
    if (request.url === '/latest/api/token') return request.method === 'PUT' ? answer(200, TOKEN) : answer(405, '')
    if (request.url?.startsWith(METADATA)) {
      if (request.headers['x-aws-ec2-metadata-token'] !== TOKEN) return answer(401, '')
      return request.url === METADATA ? answer(200, ROLE) : give('INSTANCE')
    }
    const role = roleRequest(request, new URLSearchParams(body))
    roles.push(role)
    answer(200, roleAnswer(role.action, `ASIAROLE${roles.length}`, expiration()))
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return Object.assign(state, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    roles,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  })
}

function keysOf(from: string) {
  const keys = { AccessKeyId: `ASIA${from}`, SecretAccessKey: 'secret', Token: `token of ${from}` }
  return { Code: 'Success', Type: 'AWS-HMAC', LastUpdated: new Date().toISOString(), ...keys }
}

function roleRequest({ headers }: http.IncomingMessage, form: URLSearchParams): RoleRequest {
  return {
    action: form.get('Action') ?? '',
    role: form.get('RoleArn') ?? '',
    externalId: form.get('ExternalId') ?? undefined,
    webIdentity: form.get('WebIdentityToken') ?? undefined,
    signedWith: /Credential=([^/]+)/.exec(headers.authorization ?? '')?.[1] ?? '',
  }
}

function roleAnswer(action: string, key: string, expiration: string): string {
  const role = 'arn:aws:sts::123456789012:assumed-role/grid-agent/logboom'
  const credentials =
    `<Credentials><AccessKeyId>${key}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>` +
    `<SessionToken>token of ${key}</SessionToken><Expiration>${expiration}</Expiration></Credentials>`
  const user = `<AssumedRoleUser><Arn>${role}</Arn><AssumedRoleId>AROA:logboom</AssumedRoleId></AssumedRoleUser>`
  const result = `<${action}Result>${user}${credentials}</${action}Result>`
  return `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">${result}</${action}Response>`
}

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of stream) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}
