/** Which file is the configuration, and its text. */
import { readFile } from 'node:fs/promises'
import { isAbsolute, relative, resolve } from 'node:path'
import { LogboomError } from '../core/errors.ts'
import { ConfigErrors } from './config-errors.ts'
import { codeOf, reasonOf } from './read-error.ts'

const FILE_BYTES_MAX = 1_048_576
const SEARCHED = ['./logboom.yaml', '/etc/logboom/logboom.yaml']

export interface ConfigFile {
  /** Absolute path. */
  readonly path: string
  /** As it is shown: relative where it lies under the working folder. */
  readonly shown: string
  readonly text: string
}

/**
 * The file that is named, else the first that exists of those searched; undefined when none does.
 * Throws ConfigErrors with LB-C006 when a file is named or exists and cannot be read.
 */
export async function findConfigFile(named: string | undefined, directory: string): Promise<ConfigFile | undefined> {
  if (named !== undefined) return read(resolve(directory, named), directory)
  for (const candidate of SEARCHED) {
    const file = await readIfExists(resolve(directory, candidate), directory)
    if (file !== undefined) return file
  }
  return undefined
}

async function readIfExists(path: string, directory: string): Promise<ConfigFile | undefined> {
  try {
    return await read(path, directory)
  } catch (error) {
    const cause = error instanceof ConfigErrors ? error.problems[0]?.cause : undefined
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(cause) ?? '')) return undefined
    throw error
  }
}

async function read(path: string, directory: string): Promise<ConfigFile> {
  const inside = relative(directory, path)
  const shown = inside.startsWith('..') || isAbsolute(inside) ? path : inside
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new ConfigErrors([new LogboomError('LB-C006', { file: shown, reason: reasonOf(cause) }, { cause })])
  })
  if (bytes.length <= FILE_BYTES_MAX) return { path, shown, text: bytes.toString('utf8').replace(/^\uFEFF/, '') }
  const reason = `it is larger than ${FILE_BYTES_MAX} bytes`
  throw new ConfigErrors([new LogboomError('LB-C006', { file: shown, reason })])
}
