/** The oracle itself: what it must call lost, doubled and altered, and what it must not. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createTemplate, fillEntries, recordOf, timestampOf } from '../load/container-events.ts'
import { createComparison, numberOf } from './numbered-events.ts'
import { createOracle } from './oracle.ts'
import { tableOf } from './table.ts'
import { Tally } from './tally.ts'

const plan = { batch: 10, lineBytes: 120, startSeconds: 1_795_000_000, tag: 'docker.web' }
const event = { connection: 3, number: 27 }
const record = recordOf({ connection: 3, index: 7, number: 27, lineBytes: 120 })
const documentOf = (changes: object = {}) =>
  JSON.stringify({
    ...record,
    '@timestamp': timestampOf(27, plan.startSeconds),
    tag: plan.tag,
    sequence: 5,
    ...changes,
  })

describe('an event that came out', () => {
  test('is known by its number', () => {
    assert.deepEqual(numberOf(documentOf()), event)
    assert.equal(numberOf('{"log":"something else"}'), undefined)
  })

  test('as a document must be what was sent, and nothing more', () => {
    const { isDocument } = createComparison(plan)
    assert.equal(isDocument(documentOf(), event), true)
    assert.equal(isDocument(documentOf({ source: 'stdin' }), event), false)
    assert.equal(isDocument(documentOf({ tag: 'docker.other' }), event), false)
    assert.equal(isDocument(documentOf({ more: 1 }), event), false)
    assert.equal(isDocument(documentOf(), { ...event, number: 28 }), false)
  })

  test('as an entry must be the same bytes', () => {
    const { isEntry } = createComparison(plan)
    const template = createTemplate({ connection: 3, count: 10, lineBytes: 120 })
    fillEntries(template.bytes, 0, template, 20, 10, plan.startSeconds)
    const entry = Buffer.from(template.bytes.subarray(template.starts[7], template.starts[8]))
    assert.equal(isEntry(entry, event), true)
    entry[40]! ^= 1
    assert.equal(isEntry(entry, event), false)
  })
})

test('a tally counts doubles, and what came after a higher number', () => {
  const tally = new Tally('sink')
  for (const number of [0, 2, 1, 2, 5_000]) tally.add({ connection: 0, number })
  assert.deepEqual([tally.distinct, tally.doubled, tally.disordered], [4, 1, 1])
  assert.equal(tally.has({ connection: 0, number: 5_000 }), true)
  assert.equal(tally.has({ connection: 1, number: 0 }), false)
})

test('a sink that loses an event, or alters one, fails the judgement', async (t) => {
  for (const [fault, words] of [
    ['lose', /1 acknowledged events are lost/],
    ['alter', /altered/],
  ] as const) {
    const oracle = await createOracle(t)
    const program = await oracle.start()
    await oracle.client({ events: 100 }).done
    await program.untilDrained()
    if (fault === 'lose') oracle.bulk.forget({ connection: 0, number: 7 })
    else oracle.see(oracle.bulk, documentOf({ source: 'stdin' }))
    await assert.rejects(oracle.judge(program, 'oracle', 1), words)
    await program.kill()
  }
})

test('the table names what has no line, what is absent, what is lost, and what failed', () => {
  const fault = (name: string) => ({ fault: name, title: name.toLowerCase(), files: [`${name}.test.ts`] })
  const line = { fault: 'F1', tried: 2, acked: 10, lost: 0, doubled: 0 }
  const clean = tableOf([fault('F1')], [line, { ...line, note: 'again' }], new Set())
  assert.deepEqual(clean, { text: 'F1 f1: tried 4, acked 20, lost 0, doubled 0 (again)', isClean: true })
  assert.equal(tableOf([fault('F1')], [{ ...line, lost: 1 }], new Set()).isClean, false)
  assert.equal(tableOf([fault('F1')], [line], new Set(['F1.test.ts'])).isClean, false)
  assert.match(tableOf([fault('F2')], [line], new Set()).text, /NOT REPORTED/)
  const absent = tableOf([fault('F2')], [{ fault: 'F2', absent: 'no loop device' }], new Set())
  assert.deepEqual(absent, { text: 'F2 f2: absent: no loop device', isClean: true })
})
