/** A destination in a folder, which takes a key once, and the writer in front of it. Only for tests. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { gunzipSync } from 'node:zlib'
import type { Writer } from '../../../outputs/output.ts'
import { createLineCursor } from '../../../outputs/s3/lines.ts'
import { objectKey, parseKey } from '../../../outputs/s3/object-key.ts'
import type { ObjectStore } from '../../../outputs/s3/object-store.ts'
import { Staging, type StagingOptions } from '../../../outputs/s3/staging.ts'
import { createS3Writer } from '../../../outputs/s3/writer.ts'
import { outputContext } from '../../conformance/output.ts'

export interface Site {
  /** The output's own folder. */
  readonly staging: string
  /** One file for each object, and one beside it that tells whose it is. */
  readonly bucket: string
}

export function temporarySite(t: Pick<TestContext, 'after'>): Site {
  const folder = mkdtempSync(path.join(tmpdir(), 'logboom-s3-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const site = siteIn(folder)
  for (const name of [site.staging, site.bucket]) mkdirSync(name)
  return site
}

export const siteIn = (folder: string): Site => ({
  staging: path.join(folder, 'staging'),
  bucket: path.join(folder, 'bucket'),
})

/** As a bucket with `If-None-Match: *`. */
export function folderStore({ bucket }: Site): ObjectStore {
  return {
    prepare: async () => {},
    async store(part, file) {
      const object = path.join(bucket, objectKey(part.stem, part.object!.index).replaceAll('/', '!'))
      const { id } = part.object!
      if (existsSync(`${object}.id`)) return readFileSync(`${object}.id`, 'utf8') === id ? 'stored' : 'taken'
      copyFileSync(file, object)
      writeFileSync(object, readFileSync(object).subarray(0, part.bytes))
      writeFileSync(`${object}.id`, id)
      return 'stored'
    },
    close: () => {},
  }
}

export function stagingOptions({ staging }: Site, over: Partial<StagingOptions> = {}): StagingOptions {
  return { directory: staging, compression: 'gzip', maxBytes: 2_000, dueMs: () => Number.MAX_SAFE_INTEGER, ...over }
}

export interface Wishes {
  readonly store?: ObjectStore
  readonly stagingLimit?: number
  readonly flushAtClose?: boolean
  readonly options?: Partial<StagingOptions>
}

export function lineCursor() {
  const key = parseKey('logs/%d-%H_{tag}_{index}.gz', 'n')
  return createLineCursor({ format: 'json', eventId: false, key, window: 3_600, sequence: { seed: 1, step: 2 } })
}

export async function openWriter(site: Site, wishes: Wishes = {}): Promise<Writer> {
  const { store = folderStore(site), stagingLimit = 1e9, flushAtClose = true, options } = wishes
  const staging = await Staging.open(stagingOptions(site, options))
  const context = outputContext(site.staging)
  return createS3Writer({ context, cursor: lineCursor(), staging, store, stagingLimit, flushAtClose, concurrency: 2 })
}

/** The number `n` of each line in the bucket, ascending. */
export function storedNumbers({ bucket }: Site): number[] {
  const objects = readdirSync(bucket).filter((name) => name.endsWith('.gz'))
  const texts = objects.map((name) => gunzipSync(readFileSync(path.join(bucket, name))).toString())
  return numbersIn(texts.join(''))
}

export function numbersIn(lines: string): number[] {
  const found = lines.split('\n').slice(0, -1)
  return found.map((line) => (JSON.parse(line) as { n: number }).n).sort((a, b) => a - b)
}
