/** Patterns of the configuration, matched in linear time (RE2): none of them can hang, whatever the text is. */
import { RE2JS } from 're2js'
import type { Syntax } from './compile-field.ts'

/** Most characters of a pattern. */
const PATTERN_LENGTH_MAX = 4_096

export interface Pattern {
  test(text: string): boolean
  /** The groups of the first match, 0 the whole of it, and those with names; undefined: it does not match. */
  exec(text: string): Groups | undefined
  /** The text with every match replaced by what `replace` makes of it. */
  replaceAll(text: string, replace: (match: string) => string): string
  readonly names: readonly string[]
}

export interface Groups {
  /** Undefined: the group took no part. */
  readonly all: readonly (string | undefined)[]
  readonly named: Readonly<Record<string, string | undefined>>
}

/**
 * The syntax is RE2's: what Ruby and Perl share, without back-references and look-around, which cannot be linear.
 * `(?<name>…)` names a group. Throws an Error in words.
 */
export function compilePattern(text: string): Pattern {
  if (text === '') throw new Error('a pattern must not be empty')
  if (text.length > PATTERN_LENGTH_MAX) throw new Error(`a pattern may have ${PATTERN_LENGTH_MAX} characters at most`)
  const regexp = compile(text)
  const names = Object.entries(regexp.namedGroups())
  return {
    names: names.map(([name]) => name),
    test: (subject) => regexp.test(subject),
    exec(subject) {
      const matcher = regexp.matcher(subject)
      if (!matcher.find()) return undefined
      const all = Array.from({ length: regexp.groupCount() + 1 }, (_, index) => matcher.group(index) ?? undefined)
      return { all, named: Object.fromEntries(names.map(([name, index]) => [name, all[index]])) }
    },
    replaceAll(subject, replace) {
      const matcher = regexp.matcher(subject)
      let replaced = ''
      let from = 0
      while (matcher.find()) {
        replaced += subject.slice(from, matcher.start()) + replace(matcher.group() ?? '')
        from = matcher.end()
      }
      return replaced + subject.slice(from)
    },
  }
}

/** Patterns in the configuration. */
export const PATTERN: Syntax<Pattern> = { parse: compilePattern, noun: 'a pattern', example: '"error|fatal"' }

function compile(text: string): RE2JS {
  try {
    return RE2JS.compile(text)
  } catch (error) {
    const words = error instanceof Error ? error.message.replace('error parsing regexp: ', '') : String(error)
    const isLook = /\(\?<?[=!]/.test(text) || /\\[1-9]/.test(text)
    throw new Error(isLook ? `${words}; look-around and back-references cannot be matched in linear time` : words)
  }
}
