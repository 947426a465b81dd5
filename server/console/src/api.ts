/** What the page asks of the server. The token lives in the session's storage; nothing here knows of the page. */
import { type JsonObject, parseJson } from '../../core/event-text.ts'
import type { FieldValues, Histogram } from '../../core/search.ts'
import { readServerEvents } from '../../core/server-events.ts'
import type { StatusReport } from '../../core/status.ts'

export interface Hit {
  readonly cursor: string
  readonly id: string
  /** ms since 1970. */
  readonly time: number
  readonly tag: string
  readonly event: JsonObject
  /** About how many characters of JSON it is: the mean of the answer it came in. */
  readonly size: number
}
export interface Page {
  readonly hits: readonly Hit[]
  readonly newest: string
  /** The `before` of the next page; absent: there is nothing older. */
  readonly next?: string
}
export interface TailBatch {
  /** Oldest first. */
  readonly hits: readonly Hit[]
  /** More is to come at once. */
  readonly behind: boolean
}
/** What is looked for; times in ms since 1970. */
export interface Question {
  readonly q: string
  readonly from?: number | undefined
  readonly to?: number | undefined
}

export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: string
  readonly help: string
  /** Where a query is wrong, counted from 1. */
  readonly position: number | undefined
  constructor(answer: { code?: string; message?: string; help?: string; details?: { position?: number } }) {
    super(answer.message ?? 'the answer was not understood')
    this.code = answer.code ?? ''
    this.help = answer.help ?? ''
    this.position = answer.details?.position
  }
}

const TOKEN_KEY = 'logboom.token'

export function keepToken(token: string): void {
  sessionStorage.setItem(TOKEN_KEY, token)
}

function pathOf(route: string, parameters: object): string {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== '')
  return `api/v1/${route}?${new URLSearchParams(given.map(([key, value]) => [key, String(value)]))}`
}

/** Throws ApiError when the server answers with an error, TypeError when it does not answer. */
async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const token = sessionStorage.getItem(TOKEN_KEY)
  const headers = new Headers(init.headers)
  if (token !== null) headers.set('authorization', `Bearer ${token}`)
  const response = await fetch(path, { ...init, headers })
  if (response.ok) return response
  throw new ApiError(await response.json().catch(() => ({ message: `HTTP ${response.status}` })))
}

async function getJson<T>(path: string, signal: AbortSignal): Promise<T> {
  return parseJson(await (await ask(path, { signal })).text()) as T
}

export const getStatus = (signal: AbortSignal) => getJson<StatusReport>('api/v1/status', signal)

/** What the server sends, with the size of each hit. */
function withSizes<T extends { readonly hits: readonly Omit<Hit, 'size'>[] }>(text: string) {
  const answer = parseJson(text) as unknown as T
  const size = Math.ceil(text.length / Math.max(1, answer.hits.length))
  return { ...answer, hits: answer.hits.map((hit) => ({ ...hit, size })) }
}

export async function getEvents(
  question: Question & { limit: number; before?: string },
  signal: AbortSignal,
): Promise<Page> {
  return withSizes<Page>(await (await ask(pathOf('events', question), { signal })).text())
}

export function getHistogram(question: Question & { buckets: number }, signal: AbortSignal): Promise<Histogram> {
  return getJson(pathOf('histogram', question), signal)
}

export function getFields(question: Question, signal: AbortSignal): Promise<readonly FieldValues[]> {
  return getJson(pathOf('fields', question), signal)
}

/** Follows the store from a cursor on; `id` of each batch is where to go on. Ends when the server does. */
export async function* tail(
  q: string,
  cursor: string,
  signal: AbortSignal,
): AsyncGenerator<TailBatch & { id: string }> {
  const headers = { 'last-event-id': cursor }
  const response = await ask(pathOf('tail', { q }), { headers, signal })
  for await (const { id, data } of readServerEvents(response.body!)) {
    const batch = data === '' ? { hits: [], behind: false } : withSizes<TailBatch>(data)
    yield { ...batch, id }
  }
}
