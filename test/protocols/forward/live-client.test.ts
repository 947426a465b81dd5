import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { Unpackr } from 'msgpackr'
import { eventually, startInput } from './input-under-test.ts'

/** The part of the npm package `fluent-logger` that is used here; it brings no types. */
interface FluentLogger {
  createFluentSender(tag: string, options: object): FluentSender
}
interface FluentSender {
  emit(label: string, record: object, done: (error?: Error) => void): void
  end(label: string | null, record: object | null, done: () => void): void
  on(event: 'error', listener: (error: Error) => void): void
}
const { createFluentSender } = createRequire(import.meta.url)('fluent-logger') as FluentLogger

for (const eventMode of ['Message', 'PackedForward', 'CompressedPackedForward']) {
  test(`fluent-logger in ${eventMode} mode gets its acks, and its records arrive`, async () => {
    const input = await startInput()
    const options = { host: '127.0.0.1', port: input.port, eventMode, requireAckResponse: true, timeout: 3 }
    const sender = createFluentSender('app', { ...options, flushInterval: 5, ackResponseTimeout: 5_000 })
    const errors: Error[] = []
    sender.on('error', (error) => errors.push(error))
    const sent = Array.from({ length: 5 }, (_, n) => ({ n, text: 'é\n', nested: { list: [n, null] } }))
    const emits = sent.map(
      (record) =>
        new Promise<void>((resolve, reject) => {
          sender.emit('web', record, (error) => (error === undefined ? resolve() : reject(error)))
        }),
    )
    await Promise.all(emits)
    await eventually(() => input.stats.events === sent.length)
    const unpackr = new Unpackr({ mapsAsObjects: true })
    const events = input.emitted.flatMap(({ packed }) => unpackr.unpackMultiple(packed) as unknown[][])
    assert.deepEqual(
      events.map(([, record]) => record),
      sent,
    )
    assert.deepEqual([...new Set(input.emitted.map(({ tag }) => tag))], ['app.web'])
    assert.ok(input.emitted.every(({ chunkId }) => chunkId !== undefined))
    await new Promise<void>((resolve) => sender.end(null, null, resolve))
    assert.deepEqual([errors, input.warnings], [[], []])
  })
}
