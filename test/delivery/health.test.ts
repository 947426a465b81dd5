import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHealthBoard, type Health } from '../../server/delivery/health.ts'

function setUp() {
  const news: Health[] = []
  return { news, board: createHealthBoard((health) => news.push(health)) }
}

test('a blocked source stands before one that is tried again, whichever came first', () => {
  const { board, news } = setUp()
  board.trouble('dead letters', 'blocked', 'full')
  board.trouble('destination', 'retrying', 'down')
  assert.deepEqual(board.health(), { state: 'blocked', lastError: 'full' })
  board.recovered('dead letters')
  assert.deepEqual(board.health(), { state: 'retrying', lastError: 'down' })
  assert.equal(news.length, 2)
})

test('a part that is missing is told while the output goes on, behind what keeps it from going on', () => {
  const { board, news } = setUp()
  board.trouble('parts', 'ok', 'server primary is lost')
  assert.deepEqual(board.health(), { state: 'ok', lastError: 'server primary is lost' })
  board.trouble('destination', 'retrying', 'down')
  assert.deepEqual(board.health(), { state: 'retrying', lastError: 'down' })
  board.recovered('destination')
  board.recovered('parts')
  assert.deepEqual(
    news.map(({ lastError }) => lastError),
    ['server primary is lost', 'down', 'server primary is lost', undefined],
  )
})

test('the same trouble again is no news', () => {
  const { board, news } = setUp()
  board.trouble('destination', 'retrying', 'down')
  board.trouble('destination', 'retrying', 'down')
  assert.equal(news.length, 1)
})

test('what is over is told once', () => {
  const { board, news } = setUp()
  board.trouble('destination', 'retrying', 'down')
  assert.deepEqual(board.recovered('destination'), { state: 'retrying', lastError: 'down' })
  assert.equal(board.recovered('destination'), undefined)
  assert.deepEqual(news.at(-1), { state: 'ok', lastError: undefined })
})
