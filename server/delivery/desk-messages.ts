/** The desk of an output across the thread boundary: questions one way, answers the other. */

import { type ErrorCode, type ErrorDetails, LogboomError } from '../core/errors.ts'
import type { OutputDesk } from '../core/output-desk.ts'

type Verb = keyof OutputDesk

export interface DeskQuestion {
  readonly kind: 'ask'
  readonly number: number
  readonly verb: Verb
  readonly query: unknown
}

export interface DeskAnswer {
  readonly kind: 'answered'
  readonly number: number
  readonly answer?: unknown
  readonly error?: { readonly code: ErrorCode; readonly details: ErrorDetails }
}

/** The thread's side. Never rejects. */
export async function answerQuestion(desk: OutputDesk, { number, verb, query }: DeskQuestion): Promise<DeskAnswer> {
  try {
    const ask = desk[verb] as (query: unknown) => Promise<unknown>
    return { kind: 'answered', number, answer: await ask(query) }
  } catch (error) {
    const { code, details } = asError(error)
    return { kind: 'answered', number, error: { code, details } }
  }
}

/** What is not of the table is the disk's word: letters are read and written by it alone. */
function asError(error: unknown): LogboomError {
  if (error instanceof LogboomError) return error
  return new LogboomError('LB-P004', { reason: error instanceof Error ? error.message : String(error) })
}

interface Question {
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: Error) => void
}

/** The main thread's side. */
export class DistantDesk implements OutputDesk {
  readonly #output: string
  readonly #open = new Map<number, Question>()
  #post: ((question: DeskQuestion) => void) | undefined
  #numbers = 0

  constructor(output: string) {
    this.#output = output
  }

  list: OutputDesk['list'] = () => this.#ask('list')
  show: OutputDesk['show'] = (query) => this.#ask('show', query)
  replay: OutputDesk['replay'] = (query) => this.#ask('replay', query)
  discard: OutputDesk['discard'] = (query) => this.#ask('discard', query)
  rewind: OutputDesk['rewind'] = (query) => this.#ask('rewind', query)

  /** The thread listens from now on. */
  connect(post: (question: DeskQuestion) => void): void {
    this.#post = post
  }

  /** The thread is gone: what it was asked is not answered. */
  disconnect(): void {
    this.#post = undefined
    for (const { reject } of this.#open.values()) reject(this.#away())
    this.#open.clear()
  }

  answered({ number, answer, error }: DeskAnswer): void {
    const question = this.#open.get(number)
    this.#open.delete(number)
    if (error === undefined) question?.resolve(answer)
    else question?.reject(new LogboomError(error.code, error.details))
  }

  #ask<T>(verb: Verb, query?: unknown): Promise<T> {
    const post = this.#post
    if (post === undefined) return Promise.reject(this.#away())
    return new Promise<unknown>((resolve, reject) => {
      const number = this.#numbers++
      this.#open.set(number, { resolve, reject })
      post({ kind: 'ask', number, verb, query })
    }) as Promise<T>
  }

  #away(): LogboomError {
    return new LogboomError('LB-P002', { output: this.#output })
  }
}
