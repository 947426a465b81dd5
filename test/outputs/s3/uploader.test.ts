/** The way of parts to the destination through its faults, with time that passes at once. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { OutputError } from '../../../outputs/output.ts'
import { encodeRounds } from '../../../outputs/s3/lines.ts'
import type { ObjectStore } from '../../../outputs/s3/object-store.ts'
import { Staging } from '../../../outputs/s3/staging.ts'
import { Uploader } from '../../../outputs/s3/uploader.ts'
import type { Clock } from '../../../server/core/clock.ts'
import { batchOf } from '../../conformance/make-batch.ts'
import { outputContext } from '../../conformance/output.ts'
import { folderStore, lineCursor, type Site, stagingOptions, storedNumbers, temporarySite } from './folder-store.ts'

/** Waits are turns of the loop. */
const hurried: Clock = { now: () => Date.now(), monotonic: () => performance.now(), sleep: () => nextTurn() }

interface Bench {
  readonly site: Site
  readonly staging: Staging
  readonly uploader: Uploader
}

/** A part of three events that is due, and the store that shall take it. */
async function upload(site: Site, store: ObjectStore): Promise<Bench> {
  const staging = await Staging.open(stagingOptions(site, { dueMs: () => 0 }))
  for (const round of encodeRounds(lineCursor(), batchOf({ n: 0 }, { n: 1 }, { n: 2 }), undefined)) {
    await staging.append(round)
  }
  const { log, stats } = outputContext()
  return { site, staging, uploader: new Uploader({ staging, store, concurrency: 2, clock: hurried, log, stats }) }
}

async function untilStored({ staging, uploader, site }: Bench): Promise<void> {
  while (staging.size.parts > 0) await nextTurn()
  await uploader.close(false)
  await staging.close()
  assert.deepEqual(storedNumbers(site), [0, 1, 2])
  assert.deepEqual(readdirSync(site.staging), ['manifest'])
}

test('a part is tried until it is stored, and then all is well again', async (t) => {
  const site = temporarySite(t)
  const store = folderStore(site)
  let failures = 0
  const bench = await upload(site, {
    ...store,
    store: async (...args) => {
      if (failures++ < 5) throw new OutputError('retry', 'network', 'cut')
      return store.store(...args)
    },
  })
  await untilStored(bench)
  assert.equal(bench.uploader.fault, undefined)
  assert.equal(failures, 6)
})

test('an object whose answer was lost is stored once, under the key it was given', async (t) => {
  const site = temporarySite(t)
  const store = folderStore(site)
  let calls = 0
  const bench = await upload(site, {
    ...store,
    store: async (...args) => {
      const stored = await store.store(...args)
      if (calls++ < 3) throw new OutputError('retry', 'network', 'the answer was lost')
      return stored
    },
  })
  await untilStored(bench)
  assert.deepEqual(readdirSync(site.bucket), ['logs!20-12_docker.web_0.gz', 'logs!20-12_docker.web_0.gz.id'])
})

test('keys that belong to others are passed over', async (t) => {
  const site = temporarySite(t)
  const store = folderStore(site)
  const bench = await upload(site, {
    ...store,
    store: async (part, ...rest) => (part.object!.index < 4 ? 'taken' : store.store(part, ...rest)),
  })
  await untilStored(bench)
  assert.deepEqual(readdirSync(site.bucket), ['logs!20-12_docker.web_4.gz', 'logs!20-12_docker.web_4.gz.id'])
})

test('a bucket that is deleted is looked after again, and made where that is asked for', async (t) => {
  const site = temporarySite(t)
  const store = folderStore(site)
  let looks = 0
  const bench = await upload(site, {
    ...store,
    prepare: async () => {
      looks += 1
    },
    store: async (...args) => {
      if (looks < 3) throw new OutputError('blocked', 'blocked', 'NoSuchBucket')
      return store.store(...args)
    },
  })
  await untilStored(bench)
})

test('a bucket that is not there is a fault that is told, and mended when it is', async (t) => {
  const site = temporarySite(t)
  const told = new OutputError('blocked', 'blocked', 'NoSuchBucket')
  let isMended = false
  const prepare = async () => {
    if (!isMended) throw told
  }
  const bench = await upload(site, { ...folderStore(site), prepare })
  await bench.uploader.firstAnswer
  assert.equal(bench.uploader.fault, told)
  isMended = true
  await untilStored(bench)
  assert.equal(bench.uploader.fault, undefined)
})
