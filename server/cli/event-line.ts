/** One event as a line of output: for people, as it is, or as JSON. */

import type { Writable } from 'node:stream'
import { styleText } from 'node:util'
import { type Command, Option } from 'commander'
import { formatJson, lineText, mainText } from '../core/event-text.ts'
import { clockTime, dayOf } from '../core/readable.ts'
import type { ApiHit } from './api-client.ts'

const FORMATS = ['default', 'raw', 'jsonl'] as const
export type Format = (typeof FORMATS)[number]

export function withFormatOption(command: Command): Command {
  const help = 'default: time, tag, text; raw: the text as it came; jsonl: the whole event'
  return command.addOption(new Option('-o, --output <format>', help).choices(FORMATS).default('default'))
}

/**
 * A line with its end. Only `raw` may hold characters that move a terminal: the events come from others,
 * so the other formats show them as symbols or as JSON's escapes.
 */
export function eventLine({ time, tag, event }: ApiHit, format: Format, output: Writable): string {
  if (format === 'jsonl') return `${formatJson(event)}\n`
  if (format === 'raw') return `${mainText(event).replace(/\r?\n$/, '')}\n`
  const styled = (style: 'dim' | 'cyan', text: string) => styleText(style, text, { stream: output })
  const when = styled('dim', `${dayOf(time)} ${clockTime(time)}`)
  return `${when}  ${styled('cyan', lineText(tag))}  ${lineText(mainText(event))}\n`
}
