/** The question in the page's address, so that a link shows the same. */
import type { Question } from './api.ts'

const timeOf = (text: string | null) => (text !== null && /^\d{1,16}$/.test(text) ? Number(text) : undefined)

/** Reads `#q=…&from=…&to=…`; a range counts only when it is whole. */
export function questionOf(hash: string): Question {
  const parameters = new URLSearchParams(hash.replace(/^#/, ''))
  const q = (parameters.get('q') ?? '').slice(0, 1_024)
  const [from, to] = [timeOf(parameters.get('from')), timeOf(parameters.get('to'))]
  return from === undefined || to === undefined || from >= to ? { q } : { q, from, to }
}

export function hashOf({ q, from, to }: Question): string {
  const parameters = new URLSearchParams()
  if (q !== '') parameters.set('q', q)
  if (from !== undefined && to !== undefined) {
    parameters.set('from', String(from))
    parameters.set('to', String(to))
  }
  return `#${parameters}`
}
