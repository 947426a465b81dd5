/** Outputs that name another as their `secondary`: who that is, and whether it leads back. */
import { LogboomError } from '../core/errors.ts'
import type { OutputConfig } from './config.ts'
import { alternatives } from './describe-field.ts'
import { isMap, keyName, type RawContext } from './raw-values.ts'

/** An output as it is written, before the one that it names is known. */
export interface NamingOutput extends Omit<OutputConfig, 'secondary' | 'isSpare'> {
  readonly names: { readonly name: string; readonly afterMs: number } | undefined
  /** Whether `match` is written. */
  readonly hasMatch: boolean
}

/** Reports secondaries that are not there, or lead back. */
export function withSecondaries(outputs: readonly NamingOutput[], raw: unknown, context: RawContext): OutputConfig[] {
  const byName = new Map(outputs.map((output) => [output.name, output]))
  const named = new Set(outputs.map(({ names }) => names?.name))
  const written = Object.keys(isMap(raw) ? raw : {})
  for (const output of outputs) report(output, { byName, written }, context)
  return outputs.map(({ names, hasMatch, ...output }) => {
    const found = names && byName.get(names.name)
    const secondary = found && { ...partsOf(found), afterMs: names.afterMs }
    return { ...output, secondary, isSpare: !hasMatch && named.has(output.name) }
  })
}

const partsOf = ({ name, output, module, options }: NamingOutput) => ({ name, output, module, options })

type Outputs = ReadonlyMap<string, NamingOutput>

interface Others {
  readonly byName: Outputs
  /** The names in the file, also of outputs that have faults of their own. */
  readonly written: readonly string[]
}

function report(output: NamingOutput, { byName, written }: Others, { source, problems }: RawContext): void {
  const { names, name: own } = output
  if (names === undefined) return
  const path = ['outputs', own, 'secondary']
  const [key, place] = [keyName(path), source.place(path)]
  if (!written.includes(names.name)) {
    const known = alternatives(written.filter((name) => name !== own))
    problems.push(new LogboomError('LB-P011', { key, name: names.name, known }, { place }))
  }
  const cycle = cycleOf(own, byName)
  if (cycle !== undefined) problems.push(new LogboomError('LB-P010', { key, cycle: cycle.join(' → ') }, { place }))
}

/** The names from an output back to itself; undefined: its secondaries end elsewhere. */
function cycleOf(own: string, byName: Outputs): string[] | undefined {
  const way = [own]
  for (let next = byName.get(own)?.names?.name; next !== undefined; next = byName.get(next)?.names?.name) {
    if (next === own) return [...way, own]
    // A circle further on is reported of those that are in it.
    if (way.includes(next)) return undefined
    way.push(next)
  }
  return undefined
}
