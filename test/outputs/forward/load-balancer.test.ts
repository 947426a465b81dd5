/** Turns by weight, and who takes them when servers are lost. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LoadBalancer } from '../../../outputs/forward/load-balancer.ts'

interface Named {
  readonly name: string
  readonly weight: number
  readonly standby: boolean
  isAvailable: boolean
}
const server = (name: string, weight = 60, standby = false): Named => ({ name, weight, standby, isAvailable: true })

/** Not random, but shuffles. */
function drawn(): () => number {
  let state = 7
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}
const first = (balancer: LoadBalancer<Named>, turns: number) =>
  Array.from({ length: turns }, () => balancer.order()[0]!.name)
const count = (names: readonly string[], name: string) => names.filter((it) => it === name).length

test('turns are shared by weight, exactly over a round', () => {
  const balancer = new LoadBalancer([server('a', 60), server('b', 20)], drawn())
  const turns = first(balancer, 120)
  assert.deepEqual([count(turns, 'a'), count(turns, 'b')], [90, 30])
})

test('a standby server has no turn while nothing is lost', () => {
  const balancer = new LoadBalancer([server('a'), server('s', 60, true)], drawn())
  assert.deepEqual(first(balancer, 10), Array(10).fill('a'))
})

test('it has all turns while the primary is lost, and none once that is back', () => {
  const a = server('a')
  const balancer = new LoadBalancer([a, server('s', 60, true)], drawn())
  a.isAvailable = false
  assert.deepEqual(first(balancer, 10), Array(10).fill('s'))
  a.isAvailable = true
  assert.deepEqual(first(balancer, 10), Array(10).fill('a'))
})

test('only as many stand in as weight is lost', () => {
  const [a, b] = [server('a', 30), server('b', 30)]
  const balancer = new LoadBalancer([a, b, server('s', 30, true), server('z', 30, true)], drawn())
  a.isAvailable = false
  const turns = first(balancer, 60)
  assert.deepEqual(
    ['a', 'b', 's', 'z'].map((name) => count(turns, name)),
    [0, 30, 30, 0],
  )
})

test('behind those whose turn it is come the others: who stands by, then who is lost', () => {
  const [a, b] = [server('a'), server('b')]
  const balancer = new LoadBalancer([a, server('s', 60, true), b], drawn())
  b.isAvailable = false
  const order = balancer.order().map(({ name }) => name)
  assert.deepEqual(order.toSorted(), ['a', 'b', 's'])
  assert.equal(order[2], 'b')
})

test('when all are lost each is tried, primaries first', () => {
  const servers = [server('s', 60, true), server('a'), server('b')]
  for (const it of servers) it.isAvailable = false
  const balancer = new LoadBalancer(servers, drawn())
  assert.deepEqual(
    balancer.order().map(({ name }) => name),
    ['a', 'b', 's'],
  )
})

test('a weight of 0 is never chosen', () => {
  const balancer = new LoadBalancer([server('a'), server('never', 0)], drawn())
  assert.deepEqual(
    balancer.order().map(({ name }) => name),
    ['a'],
  )
})
