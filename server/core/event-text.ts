/**
 * How an event's document is shown, in the console and on the command line: exact numbers, its main text, and nothing
 * that harms a page or a terminal. Nothing here is on the way of an event.
 */

/** A value of a document. An integer that a double cannot hold is a bigint. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | JsonObject
export type JsonObject = { readonly [key: string]: Json }

interface ExactJson {
  parse(text: string, reviver: (key: string, value: unknown, context?: { source?: string }) => unknown): unknown
  rawJSON?(text: string): unknown
}
// JSON.parse with source text (ECMA-262): in Node 24 and current browsers; without it big integers are rounded.
const exactJson = JSON as unknown as ExactJson

/** Parses JSON text; integers of any size survive. Throws SyntaxError. */
export function parseJson(text: string): Json {
  return exactJson.parse(text, (_key, value, context) => {
    if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
    const source = context?.source
    return source !== undefined && /^-?\d+$/.test(source) ? BigInt(source) : value
  }) as Json
}

/** The reverse of parseJson. `indent` spaces a level; 0: one line. */
export function formatJson(value: Json, indent = 0): string {
  const raw = (text: string) => exactJson.rawJSON?.(text) ?? Number(text)
  return JSON.stringify(value, (_key, item) => (typeof item === 'bigint' ? raw(String(item)) : item), indent)
}

const TEXT_KEYS = ['log', 'message', 'short_message'] as const
/** What every document carries beside the record. */
const ENVELOPE = new Set(['@timestamp', 'tag', 'sequence'])

/** The line a person wants to read: `log`, `message` or `short_message`, else the record as compact JSON. */
export function mainText(document: JsonObject): string {
  for (const key of TEXT_KEYS) {
    const value = Object.hasOwn(document, key) ? document[key] : undefined
    if (typeof value === 'string' && value !== '') return value
  }
  return formatJson(Object.fromEntries(Object.entries(document).filter(([key]) => !ENVELOPE.has(key))))
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal sequences begin with ESC or 0x9B (ECMA-48)
const TERMINAL_SEQUENCE = /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]{0,2000}(?:\x07|\x1b\\)/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is to be made visible
const UNSEEN = /[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]/gu

function symbolOf(unseen: string): string {
  const code = unseen.codePointAt(0)!
  if (code < 0x20) return String.fromCodePoint(0x2400 + code)
  if (code === 0x7f) return '\u2421'
  return `\u27e8${code.toString(16).toUpperCase().padStart(4, '0')}\u27e9`
}

/** Control, invisible and direction-changing characters as symbols: `\0` is `␀`, U+202E is `⟨202E⟩`. */
export function visibleText(text: string): string {
  return text.replace(UNSEEN, symbolOf)
}

/** One line of visible text: colours and other terminal sequences are taken out, white space at the end too. */
export function lineText(text: string): string {
  return visibleText(text.replace(TERMINAL_SEQUENCE, '').trimEnd().replaceAll('\t', '  '))
}
