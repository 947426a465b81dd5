/** Asks a running Logboom over its API, and turns what goes wrong into the errors of the table. */
import { type Command, Option } from 'commander'
import { ERRORS, type ErrorCode, type ErrorDetails, LogboomError } from '../core/errors.ts'
import { type JsonObject, parseJson } from '../core/event-text.ts'
import { readServerEvents } from '../core/server-events.ts'

export const DEFAULT_URL = 'http://127.0.0.1:8686'
const ANSWER_MS_MAX = 30_000

export interface ServerOptions {
  readonly url: string
  readonly token?: string | undefined
}

export interface ApiHit {
  readonly cursor: string
  /** ms since 1970. */
  readonly time: number
  readonly tag: string
  readonly event: JsonObject
}
export interface ApiPage {
  readonly hits: readonly ApiHit[]
  readonly newest: string
  /** The `before` of the next page; absent: this was the last. */
  readonly next?: string
  /** The search was cut short; `next`, where there is one, goes on. */
  readonly partial?: true
}

/** Adds `--url` and `--token` with their environment variables. */
export function withServerOptions(command: Command): Command {
  const url = new Option('--url <url>', 'the address of the server').env('LOGBOOM_URL').default(DEFAULT_URL)
  return command.addOption(url).addOption(new Option('--token <token>', 'its admin.token').env('LOGBOOM_TOKEN'))
}

type Parameters = Readonly<Record<string, string | number | undefined>>

function addressOf(base: string, route: string, parameters: Parameters): URL {
  if (!/^https?:\/\//.test(base) || !URL.canParse(base))
    throw new LogboomError('LB-S006', { reason: `not a URL: ${base}` })
  const url = new URL(`${base.replace(/\/+$/, '')}/api/v1/${route}`)
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== '') url.searchParams.set(name, String(value))
  }
  return url
}

function reasonOf(error: unknown): string {
  const { cause, message } = error as Error
  if (!(cause instanceof Error)) return message
  return cause.message || (cause as NodeJS.ErrnoException).code || message
}

/** The server's own error by its code, or what stands in for it where the answer is not Logboom's. */
async function errorOf(response: Response, base: string): Promise<LogboomError> {
  const answer: unknown = await response.json().catch(() => undefined)
  const { code, details } = (answer ?? {}) as { code?: string; details?: ErrorDetails }
  if (code === 'LB-S007') return new LogboomError(code, { url: base })
  if (code !== undefined && Object.hasOwn(ERRORS, code)) return new LogboomError(code as ErrorCode, details ?? {})
  return new LogboomError('LB-S005', { url: base, reason: `it answers HTTP ${response.status}` })
}

interface Ask {
  readonly method?: 'POST'
  readonly parameters?: Parameters
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

async function ask({ url: base, token }: ServerOptions, route: string, question: Ask) {
  const { method = 'GET', parameters = {}, headers, signal } = question
  const url = addressOf(base, route, parameters)
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const init: RequestInit = {
    method,
    headers: { ...headers, ...authorization },
    redirect: 'error',
    signal: signal ?? null,
  }
  const response = await fetch(url, init).catch((error: unknown) => {
    if (signal?.aborted) throw error
    throw new LogboomError('LB-S005', { url: base, reason: reasonOf(error) }, { cause: error })
  })
  if (!response.ok) throw await errorOf(response, base)
  return response
}

/**
 * The answer of one route; big integers are bigints. Throws LogboomError: LB-S005 when no Logboom answers,
 * LB-S006 for a bad URL, LB-S007 when it asks for a token, else what the server says.
 */
export function askJson<T>(server: ServerOptions, route: string, parameters: Parameters = {}): Promise<T> {
  return answerOf(server, route, { parameters })
}

/** As askJson, of a route that changes something. */
export function tellJson<T>(server: ServerOptions, route: string, parameters: Parameters = {}): Promise<T> {
  return answerOf(server, route, { parameters, method: 'POST' })
}

async function answerOf<T>(server: ServerOptions, route: string, question: Ask): Promise<T> {
  const response = await ask(server, route, { ...question, signal: AbortSignal.timeout(ANSWER_MS_MAX) })
  try {
    return parseJson(await response.text()) as T
  } catch (error) {
    throw new LogboomError('LB-S005', { url: server.url, reason: 'its answer is not JSON' }, { cause: error })
  }
}

export interface TailOptions {
  readonly q: string
  /** Where to begin. */
  readonly cursor: string
  readonly signal: AbortSignal
}

/** Follows from a cursor on; `id` is where to go on. Ends with the connection; throws as askJson does. */
export async function* askTail(server: ServerOptions, { q, cursor, signal }: TailOptions) {
  const response = await ask(server, 'tail', { parameters: { q }, headers: { 'last-event-id': cursor }, signal })
  for await (const { id, data } of readServerEvents(response.body!)) {
    const hits = data === '' ? [] : (parseJson(data) as unknown as ApiPage).hits
    yield { id, hits }
  }
}
