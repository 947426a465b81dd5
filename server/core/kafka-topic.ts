/**
 * The topic of an event, from a template of the configuration:
 *
 *   logs                        a fixed one
 *   {tag}  {tag[1]}  {tag[-1]}  the tag, or one of its parts, counted from the front (0) or the end (-1)
 *   {record.level}              the value of a key of the record
 *
 * What comes from an event is data: a character that a topic may not have becomes `_`.
 */

/** Characters of a topic's name. [org.apache.kafka.common.internals.Topic] */
const NAME_MAX = 249
/** Topics that events may name; more, and they are not made. */
export const TOPICS_MAX = 1_000

type Part = { readonly text: string } | { readonly tagPart: number } | { readonly field: Uint8Array } | 'tag'

export interface TopicTemplate {
  readonly parts: readonly Part[]
  /** The same for every event. */
  readonly isFixed: boolean
}

/** Throws Error with words for the operator. */
export function parseTopic(template: string): TopicTemplate {
  const parts = template.split(/(\{[^}]*\})/).flatMap((piece): Part[] => {
    if (piece === '') return []
    return [piece.startsWith('{') ? parsePlaceholder(piece) : { text: checkText(piece) }]
  })
  if (parts.length === 0) throw new Error('`topic` is empty')
  return { parts, isFixed: parts.every((part) => part !== 'tag' && 'text' in part) }
}

function checkText(text: string): string {
  if (!/^[A-Za-z0-9._-]+$/.test(text)) throw new Error(`\`topic\` may have letters, digits, . _ and -, not \`${text}\``)
  return text
}

function parsePlaceholder(piece: string): Part {
  const inner = piece.slice(1, -1)
  if (inner === 'tag') return 'tag'
  const [, index] = /^tag\[(-?\d{1,3})\]$/.exec(inner) ?? []
  if (index !== undefined) return { tagPart: Number(index) }
  const [, field] = /^record\.(.+)$/.exec(inner) ?? []
  if (field !== undefined) return { field: Buffer.from(field) }
  throw new Error(`\`${piece}\` in \`topic\` is not known: {tag}, {tag[0]}, {tag[-1]} or {record.KEY}`)
}

/**
 * @param fieldOf the value of a key of the record, where it has one.
 * @returns undefined when the tag or the record lacks what the template asks for.
 */
export function renderTopic(
  { parts }: TopicTemplate,
  tag: string,
  fieldOf: (key: Uint8Array) => string | undefined,
): string | undefined {
  let name = ''
  for (const part of parts) {
    if (part !== 'tag' && 'text' in part) {
      name += part.text
      continue
    }
    const value = part === 'tag' ? tag : 'field' in part ? fieldOf(part.field) : tag.split('.').at(part.tagPart)
    if (value === undefined || value === '') return undefined
    name += value.replace(/[^A-Za-z0-9._-]/g, '_')
  }
  return name === '.' || name === '..' ? undefined : name.slice(0, NAME_MAX)
}
