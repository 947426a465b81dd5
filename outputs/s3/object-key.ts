/**
 * Keys of objects from a template of the configuration:
 *
 *   logs/%Y-%m-%d/%H_{index}.gz     %Y %m %d %H %M of the window's start in UTC
 *   {index}                         0, and the next number as long as the object is another's; must be there once
 *   {tag}  {tag[0]}  {tag[-1]}      the tag, or one of its parts, counted from the front (0) or the end (-1)
 *   {node}                          `node.id`: the host's name where it is left out
 *
 * What comes from an event is data: it makes no folder, and a character that is not safe in a key becomes `_`.
 * ["Object key naming guidelines", Amazon S3 User Guide]
 */
import { type CivilDate, dateOfDay } from '../encoding/iso-time.ts'

/** Bytes of a key. [Amazon S3 User Guide] */
const KEY_BYTES_MAX = 1_024
/** Characters of a tag or a part of it that go into a key. */
const VALUE_MAX = 200
const INDEX = '{index}'
const INDEX_DIGITS = 10
const DAY = 86_400
const DIRECTIVES = '%Y %m %d %H %M'

type Part = { readonly text: string } | { readonly directive: string } | { readonly tagPart: number } | 'tag'

export interface KeyTemplate {
  readonly parts: readonly Part[]
  /** Events of one window have one key whatever their tags. */
  readonly isSameForTags: boolean
}

/** Throws Error, in words for the operator. */
export function parseKey(template: string, node: string): KeyTemplate {
  const parts = template.split(/(\{[^}]*\}|%.?)/s).flatMap((piece): Part[] => {
    if (piece === '') return []
    if (piece.startsWith('%')) return [parseDirective(piece)]
    return [piece.startsWith('{') ? parsePlaceholder(piece, node) : { text: piece }]
  })
  if (parts.filter((part) => isText(part) && part.text === INDEX).length !== 1) {
    throw new Error(`\`key\` must have ${INDEX} once: a second object of the same window needs a name of its own`)
  }
  if (template.startsWith('/')) throw new Error('`key` begins with `/`, which would be a folder without a name')
  const longest = parts.reduce((sum, part) => sum + (isText(part) ? Buffer.byteLength(part.text) : VALUE_MAX), 0)
  const isSameForTags = !parts.some((part) => part === 'tag' || 'tagPart' in part)
  if (longest + INDEX_DIGITS > KEY_BYTES_MAX) {
    throw new Error(`\`key\` may become longer than ${KEY_BYTES_MAX} bytes: tags count for ${VALUE_MAX}`)
  }
  return { parts, isSameForTags }
}

const isText = (part: Part): part is { readonly text: string } => part !== 'tag' && 'text' in part

function parseDirective(piece: string): Part {
  if (/^%[YmdHM]$/.test(piece)) return { directive: piece }
  throw new Error(`\`${piece}\` in \`key\` is none of ${DIRECTIVES}`)
}

function parsePlaceholder(piece: string, node: string): Part {
  if (piece === INDEX) return { text: INDEX }
  if (piece === '{node}') return { text: safe(node) }
  if (piece === '{tag}') return 'tag'
  const [, index] = /^\{tag\[(-?\d{1,3})\]\}$/.exec(piece) ?? []
  if (index !== undefined) return { tagPart: Number(index) }
  throw new Error(`\`${piece}\` in \`key\` is not known: {index}, {tag}, {tag[0]}, {tag[-1]} or {node}`)
}

/** A value that would be empty becomes `_`, so that no folder is without a name. */
function safe(value: string | undefined): string {
  return (value || '_').slice(0, VALUE_MAX).replace(/[^A-Za-z0-9!_.*'()-]/g, '_')
}

const date: CivilDate = { year: 0, month: 0, day: 0 }
const padded = (value: number, digits: number) => String(value).padStart(digits, '0')

function timePart(directive: string, seconds: number): string {
  dateOfDay(Math.floor(seconds / DAY), date)
  if (directive === '%Y') return padded(date.year, 4)
  if (directive === '%m') return padded(date.month, 2)
  if (directive === '%d') return padded(date.day, 2)
  return padded(Math.floor(seconds / (directive === '%H' ? 3_600 : 60)) % (directive === '%H' ? 24 : 60), 2)
}

/**
 * The key with `{index}` still in it.
 * @param windowStart seconds since 1970
 */
export function renderStem({ parts }: KeyTemplate, windowStart: number, tag: string): string {
  const stem = parts
    .map((part) => {
      if (part === 'tag') return safe(tag)
      if ('text' in part) return part.text
      return 'directive' in part ? timePart(part.directive, windowStart) : safe(tag.split('.').at(part.tagPart))
    })
    .join('')
  // A segment of dots alone would be another folder to whatever makes files of the keys.
  return stem.replace(/(?<=^|\/)\.{1,2}(?=\/|$)/g, (dots) => '_'.repeat(dots.length))
}

export function objectKey(stem: string, index: number): string {
  return stem.replace(INDEX, String(index))
}
