/**
 * Sockets that outlive the program: `systemd-socket-activate` opens them, and a shell that keeps them starts one life
 * of the program after the other, as systemd does for a `.socket` unit.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { findProgram, needPrograms } from './availability.ts'

export interface Handed {
  /** `127.0.0.1:24224` or a path. */
  readonly streams: readonly string[]
  readonly datagrams: readonly string[]
}

/** A line of its input is a life; it says the number of each process, and when that has ended. */
const KEEPER = `while read -r go; do
  sh -c 'echo "# pid $$" >&2; LISTEN_PID=$$ exec "$@"' sh "$@" </dev/null || :
  echo '# ended' >&2
done`

export class SocketKeeper {
  readonly #child: ChildProcess
  readonly #lines: string[] = []
  #woken = Promise.withResolvers<void>()
  #pid: number | undefined
  #seen = 0

  /** Lives begin once somebody has connected or sent something, and `begin` was called. Throws Unavailable. */
  constructor(t: TestContext, handed: Handed, command: readonly string[]) {
    needPrograms({ 'systemd-socket-activate': 'systemd' })
    const activate = findProgram('systemd-socket-activate')!
    const listening = (addresses: readonly string[]) => addresses.flatMap((address) => ['-l', address])
    const streams = [activate, ...listening(handed.streams)]
    const datagrams = [activate, '-d', ...listening(handed.datagrams)]
    const [first, ...rest] = [...streams, ...datagrams, 'sh', '-c', KEEPER, 'keeper', ...command]
    this.#child = spawn(first!, rest, { stdio: ['pipe', 'pipe', 'pipe'], detached: true })
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => this.#take(line))
    }
    t.after(() => {
      if (this.#child.pid !== undefined && this.#child.exitCode === null) process.kill(-this.#child.pid, 'SIGKILL')
    })
  }

  #take(line: string): void {
    this.#lines.push(line)
    this.#pid = Number(/^# pid (\d+)$/.exec(line)?.[1] ?? this.#pid)
    this.#woken.resolve()
    this.#woken = Promise.withResolvers()
  }

  /** What was printed so far by all lives, and by systemd-socket-activate. */
  get lines(): readonly string[] {
    return this.#lines
  }

  /** Resolves with the first line that matches of those that no earlier call has passed. */
  async untilSaid(pattern: RegExp): Promise<string> {
    for (;;) {
      while (this.#seen < this.#lines.length) {
        const line = this.#lines[this.#seen++]!
        if (pattern.test(line)) return line
      }
      await this.#woken.promise
    }
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await this.#woken.promise
  }

  begin(): void {
    this.#child.stdin!.write('go\n')
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.#pid!, signal)
  }
}
