/**
 * Every filter, by its action. Adding one is one line here; its module exports it as `filter` and is imported where it
 * is used.
 */
export const FILTERS: Readonly<Record<string, string>> = {
  join: new URL('./join/join.ts', import.meta.url).href,
  grep: new URL('./grep.ts', import.meta.url).href,
  record: new URL('./record.ts', import.meta.url).href,
  parse: new URL('./parse/parse.ts', import.meta.url).href,
  rewrite_tag: new URL('./rewrite-tag.ts', import.meta.url).href,
  throttle: new URL('./throttle.ts', import.meta.url).href,
  redact: new URL('./redact.ts', import.meta.url).href,
}
