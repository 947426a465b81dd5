/** Answers in pieces: those without errors are not kept, all others are whole. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readAnswer } from '../../../outputs/elasticsearch/bulk-connection.ts'

async function* inPieces(text: string, bytes: number): AsyncIterable<Buffer> {
  for (let at = 0; at < text.length; at += bytes) yield Buffer.from(text.slice(at, at + bytes))
}

const ITEMS = '"items":[{"create":{"status":201}},{"create":{"status":409}}]}'

test('an answer without errors is no more than that', async () => {
  for (const bytes of [15, 16, 40, 1_000]) {
    assert.equal(await readAnswer(inPieces(`{"errors":false,${ITEMS}`, bytes)), '{"errors":false}')
  }
})

test('any other answer is whole, however it is cut', async () => {
  for (const text of [`{"errors":true,${ITEMS}`, '<html>no</html>', '{}', '']) {
    for (const bytes of [1, 7, 1_000]) assert.equal(await readAnswer(inPieces(text, bytes)), text)
  }
})

test('an answer without errors whose beginning is cut is what it says', async () => {
  assert.deepEqual(JSON.parse(await readAnswer(inPieces(`{"errors":false,${ITEMS}`, 5))).errors, false)
})

test('an answer that ends early is no answer', async () => {
  const text = await readAnswer(inPieces('{"errors":false,"items":[{"create"', 16))
  assert.throws(() => JSON.parse(text))
})
