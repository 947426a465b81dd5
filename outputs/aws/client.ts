/** What the clients of AWS have in common: region, endpoint, credentials, and a handler whose waits are bounded. */
import type { ConfigOf, Fields } from '../../server/core/fields.ts'

const CONNECT_TIMEOUT_MS = 5_000

export const awsFields = {
  region: { kind: 'string', optional: true, doc: "AWS region; the SDK's own search where it is left out." },
  endpoint: { kind: 'string', optional: true, doc: 'URL of another endpoint, for tests or a VPC.' },
  access_key_id: { kind: 'string', optional: true, doc: "Key id; the SDK's own chain where it is left out." },
  secret_access_key: { kind: 'secret', optional: true, doc: 'Key of `access_key_id`.' },
  session_token: { kind: 'secret', optional: true, doc: 'Token of temporary keys.' },
  assume_role_arn: { kind: 'string', optional: true, doc: 'Role that is taken on with these credentials.' },
  assume_role_external_id: { kind: 'string', optional: true, doc: 'External id that the role asks for.' },
  sts_endpoint: { kind: 'string', optional: true, doc: 'URL of another STS endpoint, for `assume_role_arn`.' },
} as const satisfies Fields

export type AwsConfig = ConfigOf<typeof awsFields>

export interface ConnectionLimits {
  /** Longest wait for an answer, ms. */
  readonly requestTimeoutMs: number
  readonly connections: number
}

/** The part of a client's configuration that is the same for every service. Throws Error, in words for the operator. */
export async function awsClientConfig(config: AwsConfig, { requestTimeoutMs, connections }: ConnectionLimits) {
  const { NodeHttpHandler } = await import('@smithy/node-http-handler')
  return {
    ...(config.region === undefined ? {} : { region: config.region }),
    ...(config.endpoint === undefined ? {} : { endpoint: config.endpoint }),
    ...(await credentialsOf(config)),
    // What failed is tried again by the output, and only that.
    maxAttempts: 1,
    // HTTP/1.1: HTTP/2, which some clients choose, does not work with every endpoint and proxy.
    requestHandler: new NodeHttpHandler({
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: requestTimeoutMs,
      throwOnRequestTimeout: true,
      httpAgent: { maxSockets: connections, keepAlive: true },
      httpsAgent: { maxSockets: connections, keepAlive: true },
    }),
  }
}

async function credentialsOf(config: AwsConfig) {
  const { access_key_id: accessKeyId, secret_access_key: secretAccessKey, session_token: sessionToken } = config
  if (accessKeyId !== undefined && secretAccessKey === undefined) {
    throw new Error('`secret_access_key` is missing beside `access_key_id`')
  }
  const own =
    accessKeyId === undefined || secretAccessKey === undefined
      ? undefined
      : { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) }
  const { assume_role_arn: RoleArn, assume_role_external_id: ExternalId } = config
  if (RoleArn === undefined) return own === undefined ? {} : { credentials: own }
  const { fromTemporaryCredentials } = await import('@aws-sdk/credential-providers')
  const credentials = fromTemporaryCredentials({
    params: { RoleArn, RoleSessionName: 'logboom', ...(ExternalId === undefined ? {} : { ExternalId }) },
    ...(own === undefined ? {} : { masterCredentials: own }),
    clientConfig: {
      ...(config.region === undefined ? {} : { region: config.region }),
      ...(config.sts_endpoint === undefined ? {} : { endpoint: config.sts_endpoint }),
    },
  })
  return { credentials }
}
