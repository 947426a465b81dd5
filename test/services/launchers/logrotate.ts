/** Debian's logrotate, asked to rotate one file now. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { findProgram, needPrograms } from './availability.ts'
import { run } from './docker.ts'

/** `create` renames the file and makes a new one; `copytruncate` copies it and truncates it. */
export type RotationKind = 'create' | 'copytruncate'

export interface Logrotate {
  /** Resolves when it is done. */
  rotate(): Promise<void>
}

/** @param kept rotated files that are kept. Throws Unavailable. */
export function prepareLogrotate(file: string, kind: RotationKind, kept: number): Logrotate {
  needPrograms({ logrotate: 'logrotate' })
  const folder = path.dirname(path.dirname(file))
  const [config, state] = [path.join(folder, 'logrotate.conf'), path.join(folder, 'logrotate.state')]
  writeFileSync(config, `${file} {\n  rotate ${kept}\n  nocompress\n  missingok\n  ${kind}\n}\n`, { mode: 0o644 })
  return {
    rotate: async () => {
      const { code, stderr } = await run(findProgram('logrotate')!, ['--force', '--state', state, config])
      if (code !== 0 || stderr.includes('error')) throw new Error(`logrotate: ${code} ${stderr}`)
    },
  }
}
