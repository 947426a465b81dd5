/** The files that have something to read wait here for one of a few readers: that bounds the memory and the load. */
import { LogboomError } from '../../server/core/errors.ts'
import { createRateLimit } from '../../server/core/log.ts'
import type { InputContext } from '../protocol.ts'
import type { BlockReader } from './block-reader.ts'
import type { TurnResult } from './file-turn.ts'
import { LIMITS } from './limits.ts'
import type { TailedFile } from './tailed-file.ts'

export interface QueueOptions {
  readonly context: InputContext
  readonly readers: readonly BlockReader[]
  readonly takeTurn: (file: TailedFile, reader: BlockReader) => Promise<TurnResult>
  /** A turn is over. */
  readonly onTurn: (file: TailedFile, result: TurnResult) => void
}

export class ReadingQueue {
  readonly #options: QueueOptions
  readonly #free: BlockReader[]
  readonly #waiting: TailedFile[] = []
  readonly #running = new Set<Promise<void>>()
  readonly #complain
  #closed = false

  constructor(options: QueueOptions) {
    this.#options = options
    this.#free = [...options.readers]
    this.#complain = createRateLimit(LIMITS.complaintMs, () => options.context.clock.monotonic())
  }

  /** The file may have changed. */
  wake(file: TailedFile): void {
    if (this.#closed) return
    if (file.busy) {
      file.changed = true
      return
    }
    if (this.#options.context.clock.monotonic() < file.retryMs) return
    file.busy = true
    this.#waiting.push(file)
    this.#serve()
  }

  /** What a reader has is finished: durable, or left for the next start. */
  async close(): Promise<void> {
    this.#closed = true
    this.#waiting.length = 0
    await Promise.all(this.#running)
  }

  #serve(): void {
    while (this.#free.length > 0 && this.#waiting.length > 0) {
      const reader = this.#free.pop()!
      const turn = this.#turn(this.#waiting.shift()!, reader).finally(() => {
        this.#running.delete(turn)
        this.#free.push(reader)
        this.#serve()
      })
      this.#running.add(turn)
    }
  }

  async #turn(file: TailedFile, reader: BlockReader): Promise<void> {
    const { takeTurn, onTurn, context } = this.#options
    let result: TurnResult = 'waits'
    try {
      result = await takeTurn(file, reader)
    } catch (error) {
      file.retryMs = context.clock.monotonic() + LIMITS.retryMs
      if (!this.#closed) this.#say(file, error as Error)
    }
    if (result === 'again' && !this.#closed) this.#waiting.push(file)
    else file.busy = false
    onTurn(file, result)
    if (result === 'waits' && file.changed) this.wake(file)
  }

  #say(file: TailedFile, cause: Error): void {
    const { log } = this.#options.context
    const details = { path: file.path, reason: cause.message }
    const error = new LogboomError(cause instanceof LogboomError ? 'LB-T003' : 'LB-T002', details)
    this.#complain(`${error.code} ${file.path}`, () =>
      log.warn({ code: error.code }, `${error.message}. ${error.help}`),
    )
  }
}
