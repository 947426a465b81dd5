/** Fluentd's tag patterns, compiled once to a function. Nothing here knows what is matched for whom. */

/** Most characters of a match: with a tag of 1,024 bytes it bounds the work of one comparison. */
export const MATCH_LENGTH_MAX = 4_096
/** Most braces within braces. */
export const MATCH_DEPTH_MAX = 16

/**
 * A pattern becomes a small non-deterministic automaton, walked with all its states at once, so that no pattern and no
 * tag can make it back-track. Step `i` stands at `ops[i]`; what it needs beside stands at `args[i]`.
 */
const OP = {
  /** The code unit `args`. */
  unit: 0,
  /** Any number of code units other than a dot. */
  part: 1,
  /** Any number of code units. */
  any: 2,
  /** Nothing, where a dot or the end follows: `a.**` matches `a` and `a.b` and not `ab`. */
  boundary: 3,
  /** Nothing, at the start of the tag. */
  start: 4,
  /** Nothing: on to the next step and to step `args`. */
  fork: 5,
  /** Nothing: on to step `args`. */
  jump: 6,
  accept: 7,
} as const

const DOT = 0x2e

interface Program {
  readonly ops: number[]
  readonly args: number[]
}

/**
 * Compiles a match: patterns separated by white space, of which one must match the whole tag.
 * `*` is one tag part or a piece of one, `**` zero or more parts, `{a,b}` either of two patterns, `\` takes the next
 * character as it is. As in fluentd (lib/fluent/match.rb) `a.**` matches `a` too, and `**.a` matches `a`.
 * Throws an Error that names the character, counted from 1, when it is no match.
 */
export function parseMatch(match: string): (tag: string) => boolean {
  if (match.length > MATCH_LENGTH_MAX) throw new Error(`a match may have ${MATCH_LENGTH_MAX} characters at most`)
  const patterns = [...match.matchAll(/\S+/g)]
  if (patterns.length === 0) throw new Error('a match must not be empty; `**` matches every tag')
  if (patterns.some(([pattern]) => pattern === '**')) return () => true
  const program: Program = { ops: [], args: [] }
  for (const [index, { 0: pattern, index: offset }] of patterns.entries()) {
    const fork = index < patterns.length - 1 ? push(program, OP.fork) : undefined
    new PatternCompiler(pattern, offset, program).compile()
    push(program, OP.accept)
    if (fork !== undefined) program.args[fork] = program.ops.length
  }
  return createWalker(program)
}

function push(program: Program, op: number, arg = 0): number {
  program.args.push(arg)
  return program.ops.push(op) - 1
}

/** Reads one pattern from left to right and appends its steps. */
class PatternCompiler {
  readonly #pattern: string
  /** Where the pattern begins in the match, for messages. */
  readonly #offset: number
  readonly #program: Program
  #at = 0
  constructor(pattern: string, offset: number, program: Program) {
    this.#pattern = pattern
    this.#offset = offset
    this.#program = program
  }

  compile(): void {
    if (/^\/.*\/$/.test(this.#pattern)) this.#fail(0, 'regular expressions are not matches here')
    this.#sequence(0)
    if (this.#at < this.#pattern.length) this.#fail(this.#at, '`}` closes nothing; `\\}` is the character')
  }

  #fail(at: number, reason: string): never {
    throw new Error(`character ${this.#offset + at + 1}: ${reason}`)
  }

  /** Up to the end of the pattern or, within braces, up to the `,` or `}` that ends the alternative. */
  #sequence(depth: number): void {
    const pattern = this.#pattern
    while (this.#at < pattern.length) {
      const char = pattern[this.#at]!
      if (char === '}' || (char === ',' && depth > 0)) return
      if (pattern.startsWith('**', this.#at)) this.#parts()
      else if (char === '{') this.#alternatives(depth + 1)
      else if (char === '.') this.#dot()
      else this.#single(char)
    }
  }

  #parts(): void {
    this.#at += 2
    if (this.#pattern[this.#at] !== '.') {
      push(this.#program, OP.any)
      return
    }
    // `**.`: parts with a dot behind them, or none at all at the start of the tag.
    this.#at += 1
    const fork = push(this.#program, OP.fork)
    push(this.#program, OP.any)
    push(this.#program, OP.unit, DOT)
    const jump = push(this.#program, OP.jump)
    this.#program.args[fork] = push(this.#program, OP.start)
    this.#program.args[jump] = this.#program.ops.length
  }

  /** Before `**` the dot belongs to the parts, which may be none; at the end of a pattern fluentd drops it. */
  #dot(): void {
    this.#at += 1
    if (this.#pattern.startsWith('**', this.#at)) push(this.#program, OP.boundary)
    else if (this.#at < this.#pattern.length) push(this.#program, OP.unit, DOT)
  }

  #single(char: string): void {
    const at = this.#at
    this.#at += 1
    if (char === '*') {
      push(this.#program, OP.part)
      return
    }
    if (char === '\\') {
      this.#at += 1
      if (this.#at > this.#pattern.length) this.#fail(at, '`\\` at the end escapes nothing')
    }
    push(this.#program, OP.unit, this.#pattern.charCodeAt(this.#at - 1))
  }

  #alternatives(depth: number): void {
    const open = this.#at
    if (depth > MATCH_DEPTH_MAX) this.#fail(open, `more than ${MATCH_DEPTH_MAX} braces within braces`)
    const jumps: number[] = []
    for (let more = true; more; ) {
      this.#at += 1
      const fork = push(this.#program, OP.fork)
      this.#sequence(depth)
      if (this.#at >= this.#pattern.length) this.#fail(open, '`{` is not closed before the end or a space')
      more = this.#pattern[this.#at] === ','
      if (more) {
        jumps.push(push(this.#program, OP.jump))
        this.#program.args[fork] = this.#program.ops.length
      } else this.#program.args[fork] = fork + 1
    }
    this.#at += 1
    for (const jump of jumps) this.#program.args[jump] = this.#program.ops.length
  }
}

/** The walk keeps two lists of steps, made once; a mark tells whether a step is in the list of this character. */
function createWalker({ ops, args }: Program): (tag: string) => boolean {
  const op = Uint8Array.from(ops)
  const arg = Uint16Array.from(args)
  const marks = new Float64Array(ops.length)
  const stack = new Uint16Array(2 * ops.length + 1)
  let now = new Uint16Array(ops.length)
  let next = new Uint16Array(ops.length)
  let mark = 0

  /** Adds a step and all that it reaches without a character; returns the new length of the list. */
  function reach(list: Uint16Array, length: number, from: number, tag: string, at: number): number {
    let top = 0
    stack[top++] = from
    while (top > 0) {
      const step = stack[--top]!
      if (marks[step] === mark) continue
      marks[step] = mark
      const kind = op[step]!
      if (kind === OP.jump) stack[top++] = arg[step]!
      else if (kind === OP.fork) {
        stack[top++] = arg[step]!
        stack[top++] = step + 1
      } else if (kind === OP.boundary) {
        if (at === tag.length || tag.charCodeAt(at) === DOT) stack[top++] = step + 1
      } else if (kind === OP.start) {
        if (at === 0) stack[top++] = step + 1
      } else {
        list[length++] = step
        if (kind === OP.part || kind === OP.any) stack[top++] = step + 1
      }
    }
    return length
  }

  return (tag) => {
    mark += 1
    let length = reach(now, 0, 0, tag, 0)
    for (let at = 0; at < tag.length && length > 0; at++) {
      const unit = tag.charCodeAt(at)
      mark += 1
      let reached = 0
      for (let i = 0; i < length; i++) {
        const step = now[i]!
        const kind = op[step]!
        if (kind === OP.unit ? arg[step] === unit : kind === OP.any || (kind === OP.part && unit !== DOT))
          reached = reach(next, reached, kind === OP.unit ? step + 1 : step, tag, at + 1)
      }
      const swap = now
      now = next
      next = swap
      length = reached
    }
    for (let i = 0; i < length; i++) if (op[now[i]!] === OP.accept) return true
    return false
  }
}
