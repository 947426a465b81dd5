/** Loads a configuration from text, with the stubs as components, in a folder of its own that is removed again. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type LoadedConfig, loadWithPlaces } from '../../server/config/load.ts'

export const STUBS = {
  protocols: { forward: new URL('./stub-input.ts', import.meta.url).href },
  outputs: { store: new URL('./stub-output.ts', import.meta.url).href },
}

export type Files = Readonly<Record<string, string>>

/** Runs the function in a folder with these files. */
export async function withFiles<T>(files: Files, use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(path.join(tmpdir(), 'logboom-config-'))
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(path.join(directory, name), text)
    return await use(directory)
  } finally {
    await rm(directory, { recursive: true })
  }
}

export interface TextOptions {
  readonly environment?: Readonly<Record<string, string>>
  readonly files?: Files
}

export function loadText(text: string, { environment = {}, files = {} }: TextOptions = {}): Promise<LoadedConfig> {
  return withFiles({ ...files, 'logboom.yaml': text }, (directory) =>
    loadWithPlaces({ ...STUBS, environment, directory }),
  )
}

/** The least that is whole: sections are put before it. */
export const COMPONENTS = 'inputs: { forward: {} }\noutputs: { store: { url: http://store:1 } }\n'
