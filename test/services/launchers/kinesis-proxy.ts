/**
 * Between the output and an emulator of Kinesis: what AWS does and no emulator has. Records beyond a rate fail alone
 * with ProvisionedThroughputExceededException, records and requests fail by chance, and answers are lost after the
 * records were stored.
 */
import http from 'node:http'
import type { PutRecord } from './kinesis-shards.ts'

export interface KinesisFaults {
  /** Records a second that are let through, over all shards; 0: all. */
  recordsPerSecond: number
  /** Whether its shard takes a record: see kinesis-shards.ts. */
  shardTakes: (record: PutRecord) => boolean
  /** Probability, 0 to 1, that one record fails with InternalFailure. */
  recordFails: number
  /** Probability that a request is answered 500 and nothing of it is stored. */
  requestFails: number
  /** Probability that the connection is cut after the records were stored. */
  answerLost: number
  random: () => number
}

export interface KinesisProxy {
  readonly port: number
  readonly faults: KinesisFaults
  /** What was done so far: requests that came, records stored and throttled, answers lost. */
  readonly counts: Record<'requests' | 'stored' | 'throttled' | 'failed' | 'lost' | 'largestRequest', number>
  /** Ids of the access keys that requests were signed with. */
  readonly accessKeys: ReadonlySet<string>
  close(): Promise<void>
}

interface PutRecords {
  readonly Records: readonly PutRecord[]
  readonly [key: string]: unknown
}
interface Answer {
  readonly status: number
  readonly body: string
}

const THROTTLED = { ErrorCode: 'ProvisionedThroughputExceededException', ErrorMessage: 'Rate exceeded for shard' }
const FAILED = { ErrorCode: 'InternalFailure', ErrorMessage: 'Internal service failure.' }

export async function startKinesisProxy(targetPort: number): Promise<KinesisProxy> {
  const faults: KinesisFaults = {
    recordsPerSecond: 0,
    shardTakes: () => true,
    recordFails: 0,
    requestFails: 0,
    answerLost: 0,
    random: Math.random,
  }
  const counts = { requests: 0, stored: 0, throttled: 0, failed: 0, lost: 0, largestRequest: 0 }
  const accessKeys = new Set<string>()
  const takesOne = createBucket(faults)

  async function putRecords(headers: http.IncomingHttpHeaders, body: PutRecords): Promise<Answer> {
    counts.requests += 1
    accessKeys.add(/Credential=([^/]+)/.exec(headers.authorization ?? '')?.[1] ?? '')
    if (faults.random() < faults.requestFails) return { status: 500, body: '{"__type":"InternalFailure"}' }
    counts.largestRequest = Math.max(counts.largestRequest, body.Records.length)
    const verdicts = body.Records.map((record) => {
      if (faults.random() < faults.recordFails) return FAILED
      return takesOne() && faults.shardTakes(record) ? undefined : THROTTLED
    })
    const passed = body.Records.filter((_, at) => verdicts[at] === undefined)
    counts.throttled += verdicts.filter((it) => it === THROTTLED).length
    counts.failed += verdicts.filter((it) => it === FAILED).length
    if (passed.length === 0) return answerOf(verdicts.map((verdict) => verdict ?? FAILED))
    const answer = await forward(targetPort, headers, JSON.stringify({ ...body, Records: passed }))
    if (answer.status !== 200) return answer
    counts.stored += passed.length
    const stored = (JSON.parse(answer.body) as { Records: object[] }).Records.values()
    return answerOf(verdicts.map((verdict) => verdict ?? stored.next().value!))
  }

  const server = http.createServer(async (request, response) => {
    const body = await textOf(request)
    const isPut = String(request.headers['x-amz-target']).endsWith('.PutRecords')
    const answer = await (isPut
      ? putRecords(request.headers, JSON.parse(body))
      : forward(targetPort, request.headers, body))
    if (isPut && answer.status === 200 && faults.random() < faults.answerLost) {
      counts.lost += 1
      return void request.socket.destroy()
    }
    response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.1' }).end(answer.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as { port: number }).port,
    faults,
    counts,
    accessKeys,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

/** One second's worth at most, filled with time. */
function createBucket(faults: KinesisFaults): () => boolean {
  let level = 0
  let filledAt = performance.now()
  return () => {
    const rate = faults.recordsPerSecond
    if (rate === 0) return true
    const now = performance.now()
    level = Math.min(rate, level + ((now - filledAt) * rate) / 1_000)
    filledAt = now
    if (level < 1) return false
    level -= 1
    return true
  }
}

function answerOf(records: readonly object[]): Answer {
  const failed = records.filter((it) => 'ErrorCode' in it).length
  return { status: 200, body: JSON.stringify({ FailedRecordCount: failed, Records: records }) }
}

function forward(port: number, headers: http.IncomingHttpHeaders, body: string): Promise<Answer> {
  const own = { ...headers, host: `127.0.0.1:${port}`, 'content-length': String(Buffer.byteLength(body)) }
  delete (own as http.IncomingHttpHeaders)['transfer-encoding']
  return new Promise((resolve) => {
    const request = http.request(
      { host: '127.0.0.1', port, method: 'POST', path: '/', headers: own },
      async (response) => {
        resolve({ status: response.statusCode ?? 0, body: await textOf(response) })
      },
    )
    request.on('error', (error) =>
      resolve({ status: 503, body: JSON.stringify({ __type: 'ServiceUnavailable', message: error.message }) }),
    )
    request.end(body)
  })
}

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of stream) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}
