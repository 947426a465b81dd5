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
/** Pieces of one object: larger ones are taken before there are more. [Amazon S3 User Guide, multipart limits] */
const PIECES_MAX = 10_000
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

type Sdk = typeof import('@aws-sdk/client-s3') & typeof import('@aws-sdk/lib-storage')

export async function createObjectStore(options: StoreOptions): Promise<ObjectStore> {
  const sdk = { ...(await import('@aws-sdk/client-s3')), ...(await import('@aws-sdk/lib-storage')) }
  return new Bucket(options, sdk)
}

class Bucket implements ObjectStore {
  readonly #options: StoreOptions
  readonly #sdk: Sdk

  constructor(options: StoreOptions, sdk: Sdk) {
    this.#options = options
    this.#sdk = sdk
  }

  prepare(signal: AbortSignal): Promise<void> {
    return classified(signal, () => this.#look(signal))
  }

  store(part: Part, file: string, signal: AbortSignal): Promise<Stored> {
    return classified(signal, () => this.#store(part, file, signal))
  }

  close(): void {
    this.#options.client.destroy()
  }

  /** Listing names the fault in its answer's body, which HEAD has not; not being allowed to list is no fault. */
  async #look(abortSignal: AbortSignal): Promise<void> {
    const { client, bucket, createBucket } = this.#options
    try {
      await client.send(new this.#sdk.ListObjectsV2Command({ Bucket: bucket, MaxKeys: 1 }), { abortSignal })
    } catch (error) {
      const name = failureName(error)
      if (name === 'AccessDenied') return
      if (name !== 'NoSuchBucket' || !createBucket) throw error
      await this.#makeBucket(abortSignal)
    }
  }

  async #makeBucket(abortSignal: AbortSignal): Promise<void> {
    const { client, bucket, log } = this.#options
    try {
      await client.send(new this.#sdk.CreateBucketCommand({ Bucket: bucket }), { abortSignal })
      log.info({ bucket }, `the bucket ${bucket} is made`)
    } catch (error) {
      // Another instance was faster.
      if (failureName(error) !== 'BucketAlreadyOwnedByYou') throw error
    }
  }

  async #store(part: Part, file: string, signal: AbortSignal): Promise<Stored> {
    const { id, index } = part.object!
    const input = {
      Bucket: this.#options.bucket,
      Key: objectKey(part.stem, index),
      IfNoneMatch: '*',
      ContentType: CONTENT_TYPE[part.compression],
      Metadata: { [OBJECT_ID]: id, [EVENTS]: String(part.events) },
    }
    try {
      if (part.bytes <= PIECE_BYTES) await this.#put(input, part, file, signal)
      else await this.#putInPieces(input, part, file, signal)
      return 'stored'
    } catch (error) {
      if (!isTaken(error)) throw error
      return (await this.#isOurs(input.Key, part, signal)) ? 'stored' : 'taken'
    }
  }

  /** A body of bytes: the client sends its CRC-32 with it. */
  async #put(input: PutObjectCommandInput, part: Part, file: string, abortSignal: AbortSignal): Promise<void> {
    const Body = (await readFile(file)).subarray(0, part.bytes)
    await this.#options.client.send(new this.#sdk.PutObjectCommand({ ...input, Body }), { abortSignal })
  }

  /** What it has begun and cannot end, it takes back. */
  async #putInPieces(input: PutObjectCommandInput, part: Part, file: string, signal: AbortSignal): Promise<void> {
    const { client } = this.#options
    const Body = createReadStream(file, { end: part.bytes - 1 })
    const partSize = Math.max(PIECE_BYTES, Math.ceil(part.bytes / PIECES_MAX))
    const upload = new this.#sdk.Upload({ client, params: { ...input, Body }, partSize, queueSize: 1 })
    const abort = () => void upload.abort()
    signal.addEventListener('abort', abort, { once: true })
    try {
      await upload.done()
    } finally {
      signal.removeEventListener('abort', abort)
      Body.destroy()
    }
  }

  async #isOurs(Key: string, part: Part, abortSignal: AbortSignal): Promise<boolean> {
    const command = new this.#sdk.HeadObjectCommand({ Bucket: this.#options.bucket, Key })
    const { Metadata, ContentLength } = await this.#options.client.send(command, { abortSignal })
    return Metadata?.[OBJECT_ID] === part.object!.id && ContentLength === part.bytes
  }
}

/** Throws OutputError. */
async function classified<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    throw signal.aborted ? new OutputError('retry', 'other', 'the upload was stopped') : classifyFailure(error)
  }
}
