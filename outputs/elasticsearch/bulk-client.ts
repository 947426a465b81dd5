/**
 * The official client, set up so that its transport sends our bytes as they are, once, to Elasticsearch 7, 8, 9 and
 * OpenSearch alike. Only requests; what an answer means stands in classify.ts.
 */
import { readFile } from 'node:fs/promises'
import type { ClientOptions } from '@elastic/elasticsearch'
import { bulkConnection } from './bulk-connection.ts'
import type { BulkAnswer } from './classify.ts'

/** Elasticsearch 8 refuses the media types of client 9, and OpenSearch those of both: these two are known to all. */
const HEADERS = { 'content-type': 'application/x-ndjson', accept: 'application/json', 'user-agent': 'logboom' }

/**
 * Keeps the answer small. Items without a field that is named here would be left out, and the others lose their number:
 * so the status, which each has, must be among them.
 */
const QUERY = { filter_path: 'errors,items.*.status,items.*.error' }

export interface BulkTarget {
  readonly urls: readonly string[]
  readonly username: string | undefined
  readonly password: string | undefined
  readonly apiKey: string | undefined
  readonly caPath: string | undefined
  readonly insecure: boolean
  readonly requestTimeoutMs: number
}

export interface BulkClient {
  /** Sends one body. Rejects with the client's error when there is no answer, whatever its status. */
  send(body: Uint8Array, signal: AbortSignal): Promise<BulkAnswer>
  close(): Promise<void>
}

/** Throws when the CA file cannot be read or a URL is none. */
export async function createBulkClient(target: BulkTarget): Promise<BulkClient> {
  const { Client, Transport, UndiciConnection, errors } = await import('@elastic/elasticsearch')
  /** Without the check that refuses OpenSearch. */
  class AnyProductTransport extends Transport {
    constructor({ productCheck: _, ...options }: ConstructorParameters<typeof Transport>[0]) {
      super(options)
    }
  }
  const options = await clientOptions(target)
  const Connection = bulkConnection({ UndiciConnection, errors })
  const client = new Client({ ...options, Transport: AnyProductTransport, Connection })
  return {
    async send(bytes, signal) {
      const bulkBody = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      const request = { method: 'POST', path: '/_bulk', querystring: QUERY, bulkBody }
      try {
        const { statusCode, body } = await client.transport.request(request, { signal, headers: HEADERS, meta: true })
        return { status: statusCode, body }
      } catch (error) {
        if (!(error instanceof errors.ResponseError)) throw error
        const { statusCode = 0, body, headers } = error.meta
        return { status: statusCode, body, retryAfter: headers?.['retry-after'] }
      }
    },
    close: () => client.close(),
  }
}

async function clientOptions(target: BulkTarget): Promise<ClientOptions> {
  const { urls, username, password, apiKey, caPath, insecure, requestTimeoutMs } = target
  const tls = {
    rejectUnauthorized: !insecure,
    ...(caPath === undefined ? {} : { ca: await readFile(caPath) }),
  }
  const options: ClientOptions = {
    nodes: [...urls],
    maxRetries: 0,
    requestTimeout: requestTimeoutMs,
    tls,
    enableMetaHeader: false,
    // It would walk through every byte of the body for each error. Nobody logs the client's errors.
    redaction: { type: 'off' },
  }
  if (apiKey !== undefined) return { ...options, auth: { apiKey } }
  return username === undefined ? options : { ...options, auth: { username, password: password ?? '' } }
}
