/**
 * Assembles the part of WebAssembly's text format that our modules are written in: functions with folded
 * instructions, one memory, mutable globals, exports. Where it would have to guess it throws.
 *
 *   (module (memory (export "memory") 4) (global $at (export "at") (mut i32) (i32.const 0))
 *     (func $add (export "add") (param $a i32) (param $b i32) (result i32) (local $c i32) (i32.add …)))
 *
 * [WebAssembly core specification 2.0, chapters 5 "Binary Format" and 6 "Text Format"]
 */
import { OPCODES } from './opcodes.ts'

type Form = string | readonly Form[]

const TYPES: Readonly<Record<string, number>> = { i32: 0x7f, i64: 0x7e, f64: 0x7c, v128: 0x7b }
const EMPTY_BLOCK = 0x40
const END = 0x0b
const MAGIC_AND_VERSION = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]

/** @throws Error for what it does not know, with the name. */
export function assemble(text: string): Uint8Array<ArrayBuffer> {
  const [, ...fields] = parse(text) as Form[][]
  const of = (kind: string) => fields.filter(([head]) => head === kind)
  const [memory] = of('memory')
  const globals = of('global')
  const funcs = of('func')
  const names = new Map<string, number>()
  for (const list of [globals, funcs]) {
    for (const [index, field] of list.entries()) names.set(field[1] as string, index)
  }
  const exports = [
    ...exportsOf(memory === undefined ? [] : [memory], 2),
    ...exportsOf(globals, 3),
    ...exportsOf(funcs, 0),
  ]
  return Uint8Array.from([
    ...MAGIC_AND_VERSION,
    ...section(1, funcs.map(typeOf)),
    ...section(
      3,
      funcs.map((_, index) => unsigned(index)),
    ),
    ...section(
      5,
      memory === undefined ? [] : [[1, ...unsigned(Number(memory.at(-1))), ...unsigned(Number(memory.at(-1)))]],
    ),
    ...section(
      6,
      globals.map((field) => [...globalType(field), ...instructions([field.at(-1)!], names, []), END]),
    ),
    ...section(7, exports),
    ...section(
      10,
      funcs.map((field) => code(field, names)),
    ),
  ])
}

function parse(text: string): Form {
  const open: Form[][] = [[]]
  for (const [token] of text.matchAll(/;;.*|[()]|"[^"]*"|[^\s()";]+/g)) {
    if (token.startsWith(';;')) continue
    if (token === '(') open.push([])
    else if (token === ')') {
      const form = open.pop()!
      open.at(-1)!.push(form)
    } else open.at(-1)!.push(token)
  }
  return open[0]![0]!
}

function section(id: number, items: readonly number[][]): number[] {
  return items.length === 0 ? [] : [id, ...sized([...unsigned(items.length), ...items.flat()])]
}

const sized = (bytes: readonly number[]) => [...unsigned(bytes.length), ...bytes]

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]
}

function signed(value: bigint): number[] {
  const low = Number(value & 0x7fn)
  const rest = value >> 7n
  const isLast = (rest === 0n && low < 0x40) || (rest === -1n && low >= 0x40)
  return isLast ? [low] : [low | 0x80, ...signed(rest)]
}

const partsOf = (field: readonly Form[], kind: string) =>
  field.filter((part): part is Form[] => Array.isArray(part) && part[0] === kind)

function typeNumber(name: Form | undefined): number {
  const number = TYPES[String(name)]
  if (number === undefined) throw new Error(`no type ${name}`)
  return number
}

function typeOf(field: readonly Form[]): number[] {
  const params = partsOf(field, 'param').map((part) => typeNumber(part[2]))
  const results = partsOf(field, 'result').map((part) => typeNumber(part[1]))
  return [0x60, ...sized(params), ...sized(results)]
}

function globalType(field: readonly Form[]): number[] {
  return [typeNumber(partsOf(field, 'mut')[0]?.[1]), 1]
}

function exportsOf(fields: readonly Form[][], kind: number): number[][] {
  return fields.flatMap((field, index) =>
    partsOf(field, 'export').map(([, name]) => {
      const text = [...String(name).slice(1, -1)].map((letter) => letter.charCodeAt(0))
      return [...sized(text), kind, ...unsigned(index)]
    }),
  )
}

const DECLARATIONS = ['export', 'param', 'result', 'local']

function code(field: readonly Form[], names: ReadonlyMap<string, number>): number[] {
  const locals = partsOf(field, 'local')
  const known = new Map(names)
  for (const [index, part] of [...partsOf(field, 'param'), ...locals].entries()) known.set(`${part[1]} local`, index)
  const body = field.slice(2).filter((part) => !DECLARATIONS.includes(String((part as Form[])[0])))
  const declared = locals.map((part) => [1, typeNumber(part[2])])
  return sized([...unsigned(declared.length), ...declared.flat(), ...instructions(body, known, []), END])
}

/** `labels`: names of the blocks around, the innermost first. */
function instructions(forms: readonly Form[], names: ReadonlyMap<string, number>, labels: readonly string[]): number[] {
  return forms.flatMap((form) => instruction(form as Form[], names, labels))
}

function instruction(form: readonly Form[], names: ReadonlyMap<string, number>, labels: readonly string[]): number[] {
  const [head, ...rest] = form as [string, ...Form[]]
  const nested = (forms: readonly Form[]) => instructions(forms, names, labels)
  switch (head) {
    case 'block':
    case 'loop': {
      const body = instructions(rest.slice(1), names, [rest[0] as string, ...labels])
      return [head === 'block' ? 0x02 : 0x03, EMPTY_BLOCK, ...body, END]
    }
    case 'if': {
      const [condition, whenTrue, whenFalse] = rest as Form[][]
      const inner = (branch: Form[]) => instructions(branch.slice(1), names, ['', ...labels])
      const otherwise = whenFalse === undefined ? [] : [0x05, ...inner(whenFalse)]
      return [...nested([condition!]), 0x04, EMPTY_BLOCK, ...inner(whenTrue!), ...otherwise, END]
    }
  }
  const opcode = OPCODES[head]
  if (opcode === undefined) throw new Error(`no instruction ${head}`)
  const immediates = rest.filter((part): part is string => typeof part === 'string')
  const operands = rest.filter((part) => typeof part !== 'string')
  return [...nested(operands), ...opcode, ...immediatesOf(head, immediates, names, labels)]
}

function immediatesOf(
  head: string,
  immediates: readonly string[],
  names: ReadonlyMap<string, number>,
  labels: readonly string[],
): number[] {
  const [first = ''] = immediates
  if (head.endsWith('.const')) return signed(head === 'i32.const' ? BigInt.asIntN(32, BigInt(first)) : BigInt(first))
  if (head.startsWith('br')) return unsigned(known(labels.indexOf(first), first))
  if (head.startsWith('local.')) return unsigned(known(names.get(`${first} local`), first))
  if (head.startsWith('global.') || head === 'call') return unsigned(known(names.get(first), first))
  // Alignment 0 (a hint only), and the offset.
  if (/\.(load|store)/.test(head)) return [0, ...unsigned(Number(first.replace('offset=', '')))]
  if (first !== '') throw new Error(`${head} ${first}`)
  return []
}

function known(index: number | undefined, name: string): number {
  if (index === undefined || index === -1) throw new Error(`nothing is called ${name}`)
  return index
}
