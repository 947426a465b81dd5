/** `${VAR}`, `${VAR:-default}` and `$$` in the text of one value. Which texts are values is the source's matter. */

/** A value that was one variable and nothing else: its field decides whether it is read as text, number or boolean. */
export class FromVariable {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** Stands in for a value that could not be made: its fault is reported already. */
export const UNRESOLVED: unique symbol = Symbol('unresolved')

export interface VariableFault {
  readonly kind: 'missing' | 'malformed'
  /** Name of the variable, or what stands there instead of one. */
  readonly name: string
  /** What stands in the text, for the caret. */
  readonly written: string
}

export interface Substituted {
  readonly value: string | FromVariable | typeof UNRESOLVED
  readonly faults: readonly VariableFault[]
}

type Environment = Readonly<Record<string, string | undefined>>

const DOLLAR = /\$\$|\$\{([^}]*)\}?/g
const REFERENCE = /^([A-Za-z_]\w*)(?::-(.*))?$/s

/** As in a shell, an empty variable counts as one that is not set where there is a default. */
export function substitute(text: string, environment: Environment): Substituted {
  const faults: VariableFault[] = []
  let whole = false
  const replaced = text.replace(DOLLAR, (written: string, inner: string | undefined) => {
    if (inner === undefined) return '$'
    whole = written.length === text.length
    const reference = written.endsWith('}') ? REFERENCE.exec(inner) : null
    const fallback = reference?.[2]
    if (reference === null || fallback?.includes('${')) {
      faults.push({ kind: 'malformed', name: inner, written })
      return ''
    }
    const name = reference[1]!
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined
    if (value === undefined && fallback === undefined) faults.push({ kind: 'missing', name, written })
    return fallback === undefined ? (value ?? '') : value || fallback
  })
  if (faults.length > 0) return { value: UNRESOLVED, faults }
  return { value: whole ? new FromVariable(replaced) : replaced, faults }
}
