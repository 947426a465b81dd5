/** Makes a chain of the filters of the configuration: their modules imported, their fields compiled. */
import type { Fields } from '../../core/fields.ts'
import type { FilterReason } from '../../core/metrics.ts'
import { parseMatch } from '../match.ts'
import type { Filter, FilterContext, FilterOrder } from './filter.ts'
import { FilterChain } from './filter-chain.ts'

export interface ChainSurroundings {
  /** Monotonic ms. */
  readonly monotonic: () => number
  readonly count: (reason: FilterReason) => void
}

/** Throws what is wrong with a filter; the configuration's check has found that before. */
export async function openChain(orders: readonly FilterOrder[], surroundings: ChainSurroundings): Promise<FilterChain> {
  const context: FilterContext = surroundings
  const links = orders.map(async ({ type, module, match, options }) => {
    const { filter } = (await import(module)) as { readonly filter: Filter<Fields> }
    return { name: type, matches: remembered(parseMatch(match)), stage: filter.compile(options as never, context) }
  })
  return new FilterChain(await Promise.all(links), surroundings.count)
}

/** Tags whose answer is remembered. */
const TAGS_MAX = 10_000

function remembered(matches: (tag: string) => boolean): (tag: string) => boolean {
  const answers = new Map<string, boolean>()
  return (tag) => {
    const known = answers.get(tag)
    if (known !== undefined) return known
    if (answers.size >= TAGS_MAX) answers.clear()
    const answer = matches(tag)
    answers.set(tag, answer)
    return answer
  }
}
