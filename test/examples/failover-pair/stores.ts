/** What the three stores of the pair hold, as documents; and which requests stand in them, by the id in their path. */
import { gunzipSync } from 'node:zlib'
import { GetObjectCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3'
import { MongoClient } from 'mongodb'
import { KEYS, type Stack, until } from './stack.ts'

/** Elasticsearch gives no more in one answer. */
const HITS_MAX = 10_000
const ARRIVAL_LIMIT_MS = 240_000

export type Document = Readonly<Record<string, unknown>>
export type StoreName = 'mongodb' | 'elasticsearch' | 's3'

export interface Stores {
  readonly all: Readonly<Record<StoreName, () => Promise<Document[]>>>
  /** Keys of the objects in the bucket. */
  keys(): Promise<string[]>
  /** Waits until all ids are in each of the stores. */
  untilStored(ids: readonly string[]): Promise<void>
  close(): Promise<void>
}

export function openStores(stack: Stack): Stores {
  const mongo = new MongoClient(`mongodb://127.0.0.1:${stack.portOf('STORE_PORT')}`)
  const endpoint = stack.urlOf('ARCHIVE_PORT')
  const s3 = new S3Client({ endpoint, region: 'us-east-1', credentials: KEYS, forcePathStyle: true })
  const all = {
    mongodb: async () => mongo.db('applogs').collection('docker').find<Document>({}).toArray(),
    elasticsearch: () => hitsOf(stack.urlOf('SEARCH_PORT')),
    s3: () => linesOf(s3),
  }
  const hasAll = async (name: StoreName, ids: readonly string[]) => {
    const found = new Set(idsIn(await all[name]()))
    return ids.every((id) => found.has(id))
  }
  return {
    all,
    keys: () => keysOf(s3),
    untilStored: async (ids) => {
      for (const name of Object.keys(all) as StoreName[]) {
        await until(`${ids.length} requests are in ${name}`, () => hasAll(name, ids), ARRIVAL_LIMIT_MS)
      }
    },
    close: async () => {
      await mongo.close()
      s3.destroy()
    },
  }
}

async function hitsOf(url: string): Promise<Document[]> {
  await fetch(`${url}/logstash-*/_refresh`, { method: 'POST' })
  const response = await fetch(`${url}/logstash-*/_search?size=${HITS_MAX}`)
  const answer = (await response.json()) as { hits?: { hits: { _source: Document; _index: string }[] } }
  return (answer.hits?.hits ?? []).map(({ _source, _index }) => ({ ..._source, _index }))
}

async function keysOf(client: S3Client): Promise<string[]> {
  const keys: string[] = []
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: 'applogs' })) {
    keys.push(...Contents.map(({ Key }) => Key!))
  }
  return keys
}

async function linesOf(client: S3Client): Promise<Document[]> {
  const lines: Document[] = []
  for (const Key of await keysOf(client)) {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: 'applogs', Key }))
    const text = gunzipSync(await Body!.transformToByteArray()).toString()
    lines.push(
      ...text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Document),
    )
  }
  return lines
}

const ID = /\?id=([a-z0-9-]+)/

/** The id of a request in the path of a parsed line, or in the line as nginx wrote it. */
export function idOf({ path, log }: Document): string | undefined {
  return ID.exec(String(path ?? log))?.[1]
}

/** Of all requests, as often as they are there. */
export const idsIn = (documents: readonly Document[]) => documents.map(idOf).filter((id) => id !== undefined)
