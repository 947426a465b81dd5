/** Runs the command line in this process, with streams that are remembered. */
import { PassThrough } from 'node:stream'
import { endOf } from '../../server/cli/end.ts'
import { createProgram, type GlobalOptions } from '../../server/cli/program.ts'

export interface Ran {
  readonly exitCode: number
  readonly output: string
  readonly talk: string
  /** What the server was started with; undefined: it was not. */
  readonly started: GlobalOptions | undefined
}

/** Reads along, since a stream that nobody reads takes no more than a little. */
async function textOf(stream: PassThrough): Promise<string> {
  let text = ''
  for await (const piece of stream) text += piece
  return text
}

export async function runProgram(...words: readonly string[]): Promise<Ran> {
  const [input, output, talk] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const texts = [output, talk].map(textOf)
  let started: GlobalOptions | undefined
  const run = async (options: GlobalOptions) => {
    started = options
  }
  const program = createProgram({ run }, { input, output, talk, interrupt: () => new AbortController().signal })
  let exitCode = 0
  try {
    await program.parseAsync(words, { from: 'user' })
  } catch (error) {
    exitCode = endOf(error, talk)
  }
  for (const stream of [output, talk]) stream.end()
  const [outputText, talkText] = await Promise.all(texts)
  return { exitCode, output: outputText!, talk: talkText!, started }
}
