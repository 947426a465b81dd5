/** Dead letters read from the folder of the buffer, with no server: for `dlq ls` and `dlq show`. */
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { LogboomError } from '../core/errors.ts'
import type { LetterPage, LetterQuery, LetterSummary } from '../core/output-desk.ts'

async function rootOf(file: string | undefined): Promise<string> {
  const { loadConfig } = await import('../config/load.ts')
  return path.join((await loadConfig({ file })).buffer.path, 'dead-letters')
}

/** Also outputs that are no longer configured; empty where there is no buffer yet. */
async function outputsIn(root: string): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new LogboomError('LB-P004', { reason: error.message }, { cause: error })
  })
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
}

/** @param file the configuration. Throws ConfigErrors; LogboomError LB-P004. */
export async function listOffline(file: string | undefined): Promise<LetterSummary[]> {
  const { summarise } = await import('../delivery/read-letters.ts')
  const root = await rootOf(file)
  const outputs = await outputsIn(root)
  return Promise.all(outputs.map((output) => readable(summarise(output, path.join(root, output)))))
}

/** As listOffline; LB-P001 for an output that has none. */
export async function showOffline(file: string | undefined, output: string, query: LetterQuery): Promise<LetterPage> {
  const { showLetters } = await import('../delivery/read-letters.ts')
  const root = await rootOf(file)
  const outputs = await outputsIn(root)
  if (!outputs.includes(output)) throw new LogboomError('LB-P001', { output, known: outputs.join(', ') || 'none' })
  return readable(showLetters(path.join(root, output), query))
}

async function readable<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading
  } catch (error) {
    throw new LogboomError('LB-P004', { reason: (error as Error).message }, { cause: error })
  }
}
