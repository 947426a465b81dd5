/**
 * Texts of the configuration with places to be filled from an event: `{tag}`, `{tag[0]}`, `{tag[-1]}` (a part of the
 * tag), `{tag[1..]}` (the rest from a part on), `{record.key}`, `{record.a.b}`, `{record["odd.key"]}`, `{time}` (ISO
 * 8601, ms), `{match[1]}` and `{match["name"]}` (a group of the pattern beside it). `{{` is a brace.
 */
import type { Syntax } from './compile-field.ts'
import { type FieldPath, fieldName, parseSteps } from './field-path.ts'
import type { FilterEvent } from './filter-event.ts'
import { packText, packValue, textOf } from './packed-value.ts'
import type { Groups } from './pattern.ts'

export interface Template {
  /** As text; what is not there is empty. Throws FilterFault. */
  text(event: FilterEvent, match?: Groups): string
  /** The same as a packed value: one place alone keeps the type of its value, and is undefined when that is missing. */
  value(event: FilterEvent): Uint8Array | undefined
}

type Part = (event: FilterEvent, match: Groups | undefined) => string

const PLACE = /\{\{|\}\}|\{([^{}]*)\}|[{}]/g

/** Throws an Error in words. `hasMatch`: there is a pattern whose groups may be named. */
export function parseTemplate(text: string, { hasMatch = false } = {}): Template {
  const parts: Part[] = []
  let only: FieldPath | undefined
  let from = 0
  const literal = (part: string) => part !== '' && parts.push(() => part)
  for (const { 0: written, 1: place, index } of text.matchAll(PLACE)) {
    literal(text.slice(from, index))
    from = index + written.length
    if (written === '{{' || written === '}}') literal(written[0]!)
    else if (place === undefined)
      throw new Error(`\`${written}\` stands alone; \`${written}${written}\` is the character`)
    else {
      const path = recordPath(place)
      if (path !== undefined && written === text) only = path
      parts.push(path === undefined ? partOf(place, hasMatch) : (event) => textOf(event.record.get(path)) ?? '')
    }
  }
  literal(text.slice(from))
  const fill = (event: FilterEvent, match?: Groups) => parts.map((part) => part(event, match)).join('')
  return {
    text: fill,
    value: (event) => (only === undefined ? packText(fill(event)) : event.record.get(only)?.slice()),
  }
}

const EXAMPLE = '"{tag[-1]}"'

/** Templates in the configuration: without a pattern beside them, and with one. */
export const TEMPLATE: Syntax<Template> = { parse: parseTemplate, noun: 'a template', example: EXAMPLE }
export const MATCH_TEMPLATE: Syntax<Template> = {
  ...TEMPLATE,
  parse: (text) => parseTemplate(text, { hasMatch: true }),
}

/** Texts are templates; numbers and booleans are what they are. Throws an Error in words. */
export function parseValue(value: string | number | boolean): Pick<Template, 'value'> {
  if (typeof value === 'string') return parseTemplate(value)
  const packed = packValue(value)
  return { value: () => packed }
}

function recordPath(place: string): FieldPath | undefined {
  if (!/^record[.[]/.test(place)) return undefined
  const [first, ...rest] = parseSteps(place.slice('record'.length))
  return [fieldName(first!), ...rest.map(fieldName)]
}

function partOf(place: string, hasMatch: boolean): Part {
  if (place === 'tag') return ({ tag }) => tag
  if (place === 'time') return (event) => new Date(event.timeMs()).toISOString()
  const ofTag = /^tag\[(-?\d{1,4})(\.\.)?\]$/.exec(place)
  if (ofTag !== null) return tagPart(Number(ofTag[1]), ofTag[2] !== undefined)
  const ofMatch = /^match\[(?:(\d{1,3})|"([^"]+)"|'([^']+)')\]$/.exec(place)
  if (ofMatch === null) {
    throw new Error(`\`{${place}}\` is not known; there are {tag}, {tag[0]}, {record.key}, {time} and {match[1]}`)
  }
  if (!hasMatch) throw new Error(`\`{${place}}\` needs a \`pattern\` beside it`)
  const [, number, name = ofMatch[3]] = ofMatch
  return (_, match) => (number === undefined ? match?.named[name!] : match?.all[Number(number)]) ?? ''
}

function tagPart(index: number, isRest: boolean): Part {
  return ({ tag }) => {
    const parts = tag.split('.')
    return isRest ? parts.slice(index).join('.') : (parts.at(index) ?? '')
  }
}
