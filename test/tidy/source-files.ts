/** The project's own source files, read once, for the rules of `tidy.test.ts`. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

export interface SourceFile {
  /** From the root, with slashes. */
  readonly name: string
  readonly text: string
  readonly lines: readonly string[]
}

/** Tracked files and those about to be: what git would show of the tree, less what it ignores. */
function listFiles(): string[] {
  const options = { cwd: ROOT, encoding: 'utf8' } as const
  const out = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], options)
  return out.split('\n').filter((name) => name !== '' && existsSync(path.join(ROOT, name)))
}

export const allFiles: readonly string[] = listFiles()

export function read(name: string): SourceFile {
  const text = readFileSync(path.join(ROOT, name), 'utf8')
  return { name, text, lines: text.split('\n') }
}

export const sources: readonly SourceFile[] = allFiles.filter((name) => /\.tsx?$/.test(name)).map(read)
export const productSources = sources.filter((file) => !file.name.startsWith('test/'))

export interface Import {
  /** As written. */
  readonly specifier: string
  /** From the root, for our own files; undefined for packages. */
  readonly target: string | undefined
  readonly isTypeOnly: boolean
}

/** Static and dynamic imports whose specifier is a literal. */
export function importsOf(file: SourceFile): Import[] {
  const pattern = /(?:^|\n)\s*(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'|import\('([^']+)'\)/g
  return [...file.text.matchAll(pattern)].map((match) => {
    const specifier = match[2] ?? match[3]!
    const target = specifier.startsWith('.') ? path.posix.join(path.posix.dirname(file.name), specifier) : undefined
    return { specifier, target, isTypeOnly: match[1] !== undefined }
  })
}
