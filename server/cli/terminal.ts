/** What a verb of the command line has to do with the world: stdin, stdout for data, stderr for talk, and Ctrl-C. */
import type { Readable, Writable } from 'node:stream'

export interface Terminal {
  readonly input: Readable
  readonly output: Writable
  readonly talk: Writable
  /** Aborts at Ctrl-C from now on, instead of the process being killed. */
  interrupt(): AbortSignal
}

export const processTerminal: Terminal = {
  input: process.stdin,
  output: process.stdout,
  talk: process.stderr,
  interrupt() {
    const abort = new AbortController()
    process.once('SIGINT', () => abort.abort())
    return abort.signal
  },
}

/** Writes data; resolves when the stream has taken it. `false`: the reader has gone (`| head`), which is no error. */
export function print(output: Writable, text: string | Uint8Array): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const gone = (error: NodeJS.ErrnoException) => (error.code === 'EPIPE' ? resolve(false) : reject(error))
    output.once('error', gone)
    output.write(text, (error) => {
      // Without an error the listener goes; with one it stays, since the stream still emits it.
      if (error === null || error === undefined) {
        output.off('error', gone)
        resolve(true)
      }
    })
  })
}
