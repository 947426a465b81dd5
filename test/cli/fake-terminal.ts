/** A terminal that remembers, and a way to run one verb of the command line in this process. */
import { PassThrough, Readable, Writable } from 'node:stream'
import { Command } from 'commander'
import type { Terminal } from '../../server/cli/terminal.ts'

export class FakeTerminal implements Terminal {
  readonly input: Readable
  readonly output: Writable
  readonly talk: Writable
  readonly abort = new AbortController()
  #output = ''
  #talk = ''
  #watchers: (() => void)[] = []
  constructor(input: Readable | readonly string[] = []) {
    this.input = input instanceof Readable ? input : Readable.from(input.map((piece) => Buffer.from(piece)))
    const keep = (add: (text: string) => void) =>
      new Writable({
        write: (piece, _encoding, done) => {
          add(String(piece))
          for (const look of this.#watchers) look()
          done()
        },
      })
    this.output = keep((text) => (this.#output += text))
    this.talk = keep((text) => (this.#talk += text))
  }
  get printed(): string {
    return this.#output
  }
  get said(): string {
    return this.#talk
  }
  interrupt(): AbortSignal {
    return this.abort.signal
  }
  /** Resolves when what was printed and said fulfils the test. */
  until(test: (terminal: this) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!test(this)) return
        this.#watchers = this.#watchers.filter((other) => other !== look)
        resolve()
      }
      this.#watchers.push(look)
      look()
    })
  }
}

/** A stdin that is typed into. */
export const typedInput = () => new PassThrough()

export function run(
  register: (program: Command, terminal: Terminal) => void,
  terminal: Terminal,
  words: readonly string[],
) {
  const program = new Command().exitOverride().configureOutput({ writeErr() {}, writeOut() {} })
  register(program, terminal)
  return program.parseAsync([...words], { from: 'user' })
}
