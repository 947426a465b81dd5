/** Random events and random questions: the store finds what a naive reader of the documents finds, and nothing else. */
import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { type Clause, type Pattern, parseQuery } from '../../../outputs/local/query.ts'
import { StoreSearch } from '../../../outputs/local/store-search.ts'
import { makeBatch } from '../../conformance/make-batch.ts'
import { openStore, temporaryFolder } from './local-store.ts'

type Value = string | number | boolean | null | Value[] | { [key: string]: Value }

const word = fc.constantFrom('a', 'b', 'ab', 'A', 'é', 'e', 'Ж', 'ж', '1', '10', '0', '日本', 'x_y')
const between = fc.constantFrom(' ', '.', '-', '/', ':', '\n', '\0', '"', "'", '*', '  ')
const text = fc.array(fc.tuple(word, between), { maxLength: 4 }).map((parts) => parts.flat().join('').slice(0, -1))
const key = fc.constantFrom('a', 'b', 'a.b', 'k', 'tag', '__proto__', '', 'ключ')
const leaf = fc.oneof(
  text,
  fc.integer({ min: -20, max: 20 }),
  fc.constantFrom(1.5, 10.25),
  fc.boolean(),
  fc.constant(null),
)
const { record } = fc.letrec<{ value: Value; record: { [key: string]: Value } }>((tie) => ({
  value: fc.oneof({ maxDepth: 2 }, leaf, fc.array(tie('value'), { maxLength: 2 }), tie('record')),
  record: fc.dictionary(key, tie('value'), { maxKeys: 3, noNullPrototype: true }),
}))
const tag = fc.constantFrom('a', 'a.b', 'docker.web', 'A.b', 'é')

const bare = text.map((value) => value.replace(/[\s"]/g, ''))
const value = fc.oneof(
  bare,
  bare.map((start) => `${start}*`),
  fc.tuple(bare, bare).map(([start, end]) => `${start}*${end}`),
  text.map((whole) => `"${whole.replaceAll('"', '\\"')}"`),
)
const clause = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.oneof(
      bare,
      word.map((start) => `${start}*`),
      text.map((whole) => `"${whole.replaceAll('"', '\\"')}"`),
      fc
        .tuple(fc.constantFrom('a', 'b', 'a.b', 'k', '""', '"tag"', 'tag', 'sequence', 'ключ'), value)
        .map((pair) => pair.join(':')),
    ),
  )
  .map((parts) => parts.join(''))
const question = fc.array(clause, { minLength: 1, maxLength: 3 }).map((clauses) => clauses.join(' '))

/** What the tokenizer makes of a text, for the letters above. */
function wordsOf(whole: string): string[] {
  return (
    whole
      .normalize('NFD')
      .replace(/\p{M}/gu, '')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? []
  )
}

/** The record's own leaves, as text, for words; what stands beside them in the document is not searched. */
function leavesOf(value: Value): string[] {
  if (typeof value !== 'object' || value === null) return [String(value)]
  return Object.values(value).flatMap(leavesOf)
}

function saysWords(whole: string, wanted: string[], prefix: boolean): boolean {
  const words = wordsOf(whole)
  const last = wanted.length - 1
  return words.some((_, at) =>
    wanted.every((each, index) => {
      const found = words[at + index]
      return prefix && index === last ? found?.startsWith(each) === true : found === each
    }),
  )
}

const regexOf = (pattern: Pattern) =>
  new RegExp(`^${pattern.map((piece) => piece.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('[^]*')}$`)

/** Every way to a value by a path: keys joined by dots, lists passed through. */
function valuesAt(value: Value, path: string): (Value | undefined)[] {
  if (Array.isArray(value)) return value.flatMap((item) => valuesAt(item, path))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => {
    if (name === path) return [inner].flat(9)
    return path.startsWith(`${name}.`) ? valuesAt(inner, path.slice(name.length + 1)) : []
  })
}

function holds(clause: Clause, event: { tag: string; record: { [key: string]: Value }; sequence: number }): boolean {
  if (clause.kind === 'words') {
    const wanted = wordsOf(clause.text)
    return [event.tag, ...leavesOf(event.record)].some((whole) => saysWords(whole, wanted, clause.prefix))
  }
  const regex = regexOf(clause.pattern)
  if (clause.kind === 'tag') return regex.test(event.tag)
  const document = { tag: event.tag, sequence: event.sequence, ...event.record }
  return valuesAt(document, clause.path).some((found) => {
    return (typeof found !== 'object' || found === null) && regex.test(String(found))
  })
}

test('a question finds exactly the events of which all its clauses are true', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ tag, record }), { minLength: 1, maxLength: 12 }),
      fc.array(question, { minLength: 1, maxLength: 12 }),
      (events, questions) => {
        const directory = temporaryFolder(t)
        const { store } = openStore(t, { directory })
        const search = new StoreSearch(directory, () => 0, assert.fail)
        store.write(makeBatch(events.map(({ tag, record }) => ({ tag, events: [{ record }] }))))
        for (const text of questions) {
          let clauses: readonly Clause[]
          try {
            clauses = parseQuery(text)
          } catch {
            continue
          }
          const expected = events.flatMap((event, position) =>
            clauses.every((clause) => holds(clause, { ...event, sequence: 1 + 2 * position }) !== clause.not)
              ? [position]
              : [],
          )
          const asked = {
            query: clauses,
            fromMs: undefined,
            toMs: undefined,
            after: undefined,
            before: undefined,
            limit: 99,
          }
          const found = search.search(asked).hits.map(({ cursor }) => Number(cursor) - 1)
          assert.deepEqual(found.reverse(), expected, text)
          const { counts } = search.histogram(asked, 3)
          assert.equal(
            counts.reduce((sum, count) => sum + count, 0),
            expected.length,
            text,
          )
        }
        store.close()
        search.close()
      },
    ),
    { numRuns: 60 },
  )
})
