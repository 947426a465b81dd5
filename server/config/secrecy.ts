/**
 * What must not be shown, and how it is hidden. Every declared secret has a name that is caught here; a test
 * says so.
 */
import { nearest } from './nearest.ts'

/** Start and end in the text; the end is not part of it. */
export type TextRange = readonly [start: number, end: number]

export const MASK = '***'

const SECRET_NAME = /secret|token|passw|passphrase|credential|private_?key|api_?key|shared_?key|authorization/i
const URL_PASSWORD = /(:\/\/[^\s/:@]*:)([^\s/@]+)(?=@)/g

/** For keys that are misspelt: `tokn` holds a token. */
const SECRET_NAMES = ['token', 'secret', 'password', 'passphrase', 'shared_key', 'api_key', 'private_key']

/** Told by the name alone, so that a key that is misspelt or not known does not give its value away. */
export function isSecretName(key: string): boolean {
  if (key.endsWith('_file') || key.endsWith('_path')) return false
  return SECRET_NAME.test(key) || nearest(key, SECRET_NAMES) !== undefined
}

/** Whether a value is written with a variable whose name says that it is secret. */
export function holdsSecret(written: string | undefined): boolean {
  return [...(written ?? '').matchAll(/\$\{(\w+)/g)].some(([, name]) => isSecretName(name!))
}

/** Hides the password of each URL in a text that is not secret as a whole. */
export function maskUrls(text: string): string {
  return text.replace(URL_PASSWORD, `$1${MASK}`)
}

/** Overwrites with as many stars what the ranges (offsets of the whole text) have in common with a line of it. */
export function maskRanges(line: string, lineStart: number, ranges: readonly TextRange[]): string {
  let masked = line.replace(URL_PASSWORD, (_, before: string, word: string) => before + '*'.repeat(word.length))
  for (const [start, end] of ranges) {
    const from = Math.max(start - lineStart, 0)
    const to = Math.min(end - lineStart, line.length)
    if (from < to) masked = masked.slice(0, from) + '*'.repeat(to - from) + masked.slice(to)
  }
  return masked
}
