/** `logboom buffer`: looks into the buffer on disk, whether the server runs or not; changes nothing in it. */
import type { Command } from 'commander'
import { register as registerExport } from './buffer-export.ts'
import { register as registerLs } from './buffer-ls.ts'
import { register as registerShow } from './buffer-show.ts'
import { register as registerVerify } from './buffer-verify.ts'
import { processTerminal, type Terminal } from './terminal.ts'

export function register(program: Command, terminal: Terminal = processTerminal): void {
  const buffer = program.command('buffer').description('look into the buffer on disk; nothing in it is changed')
  for (const add of [registerLs, registerShow, registerVerify, registerExport]) add(buffer, terminal)
}
