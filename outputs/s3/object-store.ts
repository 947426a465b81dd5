/** The bucket: whether it can be written to, and one object stored under a key that nobody else has. */
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { PutObjectCommandInput, S3Client } from '@aws-sdk/client-s3'
import type { Logger } from '../../server/core/log.ts'
import { OutputError } from '../output.ts'
import { classifyFailure, failureName, isTaken } from './classify.ts'
import { CONTENT_TYPE } from './compression.ts'
import type { Part } from './manifest-format.ts'
import { objectKey } from './object-key.ts'

/** A larger object is sent in pieces of this size, bytes: so much is held in memory for each upload. */
const PIECE_BYTES = 8 * 1024 * 1024
/** The metadata that tells this part's object from another's. */
const OBJECT_ID = 'logboom-object'
const EVENTS = 'logboom-events'

/** `taken`: the key belongs to another object. */
export type Stored = 'stored' | 'taken'

export interface ObjectStore {
  /** Makes the bucket if that is asked for. Throws OutputError when it is not there or these credentials are wrong. */
  prepare(signal: AbortSignal): Promise<void>
  /** Stores a sealed part once, however often it is called. Throws OutputError. */
  store(part: Part, file: string, signal: AbortSignal): Promise<Stored>
  close(): void
}

export interface StoreOptions {
  readonly client: S3Client
  readonly bucket: string
  readonly createBucket: boolean
  readonly log: Logger
}

export async function createObjectStore({ client, bucket, createBucket, log }: StoreOptions): Promise<ObjectStore> {
  const { CreateBucketCommand, HeadObjectCommand, ListObjectsV2Command, PutObjectCommand } = await import(
    '@aws-sdk/client-s3'
  )
  const { Upload } = await import('@aws-sdk/lib-storage')

  async function makeBucket(signal: AbortSignal): Promise<void> {
    try {
      await client.send(new CreateBucketCommand({ Bucket: bucket }), { abortSignal: signal })
      log.info({ bucket }, `the bucket ${bucket} is made`)
    } catch (error) {
      // Another instance was faster.
      if (!failureName(error).startsWith('BucketAlready')) throw error
    }
  }

  /** Listing names the fault in its answer's body, which HEAD has not; not being allowed to list is no fault. */
  async function look(signal: AbortSignal): Promise<void> {
    try {
      await client.send(new ListObjectsV2Command({ Bucket: bucket, MaxKeys: 1 }), { abortSignal: signal })
    } catch (error) {
      const name = failureName(error)
      if (name === 'AccessDenied') return
      if (name !== 'NoSuchBucket' || !createBucket) throw error
      await makeBucket(signal)
    }
  }

  async function put(input: PutObjectCommandInput, part: Part, file: string, signal: AbortSignal): Promise<void> {
    if (part.bytes <= PIECE_BYTES) {
      // A body of bytes: the client sends its CRC-32 with it.
      const Body = (await readFile(file)).subarray(0, part.bytes)
      await client.send(new PutObjectCommand({ ...input, Body }), { abortSignal: signal })
      return
    }
    const Body = createReadStream(file, { end: part.bytes - 1 })
    // What it has begun and cannot end it takes back.
    const upload = new Upload({ client, params: { ...input, Body }, partSize: PIECE_BYTES, queueSize: 1 })
    const abort = () => void upload.abort()
    signal.addEventListener('abort', abort, { once: true })
    try {
      await upload.done()
    } finally {
      signal.removeEventListener('abort', abort)
      Body.destroy()
    }
  }

  async function isOurs(Key: string, part: Part, signal: AbortSignal): Promise<boolean> {
    const command = new HeadObjectCommand({ Bucket: bucket, Key })
    const { Metadata, ContentLength } = await client.send(command, { abortSignal: signal })
    return Metadata?.[OBJECT_ID] === part.object!.id && ContentLength === part.bytes
  }

  async function store(part: Part, file: string, signal: AbortSignal): Promise<Stored> {
    const { id, index } = part.object!
    const Key = objectKey(part.stem, index)
    const input = {
      Bucket: bucket,
      Key,
      IfNoneMatch: '*',
      ContentType: CONTENT_TYPE[part.compression],
      Metadata: { [OBJECT_ID]: id, [EVENTS]: String(part.events) },
    }
    try {
      await put(input, part, file, signal)
      return 'stored'
    } catch (error) {
      if (!isTaken(error)) throw error
      return (await isOurs(Key, part, signal)) ? 'stored' : 'taken'
    }
  }

  const classified = async <T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T> => {
    try {
      return await ask()
    } catch (error) {
      throw signal.aborted ? new OutputError('retry', 'other', 'the upload was stopped') : classifyFailure(error)
    }
  }
  return {
    prepare: (signal) => classified(signal, () => look(signal)),
    store: (part, file, signal) => classified(signal, () => store(part, file, signal)),
    close: () => client.destroy(),
  }
}
