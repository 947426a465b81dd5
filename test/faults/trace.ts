/** Reads what `strace -f -yy` wrote: one line per system call, in the order in which they ended. */
import { readFileSync } from 'node:fs'

export interface Call {
  readonly name: string
  /** The arguments as strace prints them. */
  readonly args: string
  /** Path or socket of the first file descriptor, where there is one. */
  readonly target: string
  readonly result: number
  /** Line numbers of its beginning and its end: they differ where another thread came between. */
  readonly began: number
  readonly ended: number
}

const UNFINISHED = /^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$/
const RESUMED = /^(\d+) +<\.\.\. (\w+) resumed>(.*)$/
const WHOLE = /^(\d+) +(\w+)\((.*)$/

export function readTrace(file: string): Call[] {
  const open = new Map<string, { args: string; began: number }>()
  const calls: Call[] = []
  for (const [line, text] of readFileSync(file, 'latin1').split('\n').entries()) {
    const unfinished = UNFINISHED.exec(text)
    if (unfinished !== null) {
      open.set(`${unfinished[1]} ${unfinished[2]}`, { args: unfinished[3]!, began: line })
      continue
    }
    const resumed = RESUMED.exec(text)
    const start = resumed === null ? undefined : open.get(`${resumed[1]} ${resumed[2]}`)
    const match = resumed ?? WHOLE.exec(text)
    if (match === null) continue
    const rest = `${start?.args ?? ''}${match[3]}`
    const end = /^(.*)\) += (-?\d+)/.exec(rest)
    if (end === null) continue
    const target = /^\d+<(.*?)>(?:, |$)/.exec(end[1]!)?.[1] ?? ''
    const began = start?.began ?? line
    calls.push({ name: match[2]!, args: end[1]!, target, result: Number(end[2]), began, ended: line })
  }
  return calls
}
