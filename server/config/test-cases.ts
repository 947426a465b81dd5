/** The cases of the file that `logboom test` runs: events that go in, and what the filters shall make of them. */
import { LogboomError } from '../core/errors.ts'
import type { TestCase, TestEvent } from '../delivery/filters/test-run.ts'
import { alternatives, describeFound } from './describe-field.ts'
import { nearest } from './nearest.ts'
import { asText, isMap, keyName, type RawContext } from './raw-values.ts'
import type { KeyPath } from './source.ts'
import { FromVariable, UNRESOLVED } from './variables.ts'

const CASE_KEYS = ['name', 'input', 'expect', 'dropped'] as const
const EVENT_KEYS = ['tag', 'record', 'time'] as const
const CASE_EXAMPLE = '{ name: …, input: { tag: …, record: { … } }, expect: [{ record: { … } }] }'

/** Problems are added to the context; what has any is left out of the answer. */
export function checkTestCases(raw: unknown, context: RawContext): TestCase[] {
  if (raw === undefined || raw === null || raw === UNRESOLVED) return []
  const check = new CaseCheck(context)
  if (!Array.isArray(raw)) {
    check.wrong(['tests'], 'a list of cases', raw, `[${CASE_EXAMPLE}]`)
    return []
  }
  return raw.flatMap((item: unknown, index) => check.testCase(item, ['tests', index]) ?? [])
}

class CaseCheck {
  readonly #context: RawContext
  constructor(context: RawContext) {
    this.#context = context
  }

  testCase(raw: unknown, path: KeyPath): TestCase | undefined {
    if (!isMap(raw)) return this.wrong(path, 'a map', raw, CASE_EXAMPLE)
    if (!this.#knows(raw, CASE_KEYS, path)) return undefined
    const { name, input, expect, dropped } = raw
    const isDropped = asText(dropped) === true
    if (typeof asText(name) !== 'string') return this.wrong([...path, 'name'], 'text', name, 'long lines are joined')
    if (isDropped === (expect !== undefined)) {
      return this.wrong([...path, 'expect'], 'given, or `dropped: true` in its place', expect, '[{ record: { … } }]')
    }
    const inputs = this.#events(input, [...path, 'input'], undefined)
    const tag = inputs?.[0]?.tag
    const expected = isDropped ? [] : this.#events(expect, [...path, 'expect'], tag)
    return inputs && expected && { name: asText(name) as string, input: inputs, expect: expected }
  }

  /** Undefined, after it is reported. */
  wrong(path: KeyPath, expected: string, found: unknown, example: string): undefined {
    const { source, problems } = this.#context
    const details = { key: keyName(path), expected, found: describeFound(asText(found)), example }
    problems.push(new LogboomError('LB-C002', details, { place: source.place(path) }))
  }

  #knows(raw: Readonly<Record<string, unknown>>, known: readonly string[], path: KeyPath): boolean {
    const odd = Object.keys(raw).find((key) => !known.includes(key))
    if (odd === undefined) return true
    const { source, problems } = this.#context
    const meant = nearest(odd, known)
    const details = { key: keyName([...path, odd]), nearest: alternatives(meant === undefined ? known : [meant]) }
    problems.push(new LogboomError('LB-C001', details, { place: source.place([...path, odd], 'key') }))
    return false
  }

  /** One event or a list of them. `tag`: what stands for one that is left out. */
  #events(raw: unknown, path: KeyPath, tag: string | undefined): TestEvent[] | undefined {
    if (!Array.isArray(raw)) {
      const event = this.#event(raw, path, tag)
      return event && [event]
    }
    const events = raw.map((item: unknown, index) => this.#event(item, [...path, index], tag))
    return events.every((event) => event !== undefined) ? events : undefined
  }

  #event(raw: unknown, path: KeyPath, tag: string | undefined): TestEvent | undefined {
    if (!isMap(raw)) return this.wrong(path, 'an event', raw, '{ tag: docker.web, record: { log: hello } }')
    if (!this.#knows(raw, EVENT_KEYS, path)) return undefined
    const own = asText(raw.tag) ?? tag
    const time = asText(raw.time)
    if (typeof own !== 'string') return this.wrong([...path, 'tag'], 'text', raw.tag, 'docker.web')
    if (!isMap(raw.record)) return this.wrong([...path, 'record'], 'a map', raw.record, '{ log: hello }')
    if (time !== undefined && (typeof time !== 'string' || Number.isNaN(Date.parse(time)))) {
      return this.wrong([...path, 'time'], 'an ISO 8601 time', time, '"2026-11-20T12:00:00Z"')
    }
    return { tag: own, record: plain(raw.record) as TestEvent['record'], time }
  }
}

/** Variables within as their text. */
function plain(value: unknown): unknown {
  if (value instanceof FromVariable) return value.text
  if (Array.isArray(value)) return value.map(plain)
  if (!isMap(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
}
