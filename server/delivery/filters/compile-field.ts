/** Compiling a text of a filter's configuration, so that what is wrong with it is said where it stands. */
import { FilterFieldError } from './filter.ts'

/** A kind of text that means something. */
export interface Syntax<T> {
  /** Throws an Error in words. */
  readonly parse: (text: string) => T
  /** What it is: "a pattern". */
  readonly noun: string
  readonly example: string
}

/** Throws FilterFieldError with the path of the field below the action, where the text cannot be parsed. */
export function compileField<T>(
  within: readonly (string | number)[],
  text: string,
  { parse, noun, example }: Syntax<T>,
): T {
  try {
    return parse(text)
  } catch (error) {
    throw new FilterFieldError(within, `${noun} (${error instanceof Error ? error.message : error})`, example)
  }
}
