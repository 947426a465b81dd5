/** Where Go is: servers and clients that are written in it are built from the module proxy. */
import { existsSync } from 'node:fs'
import { findProgram, Unavailable } from './availability.ts'

const USUAL = '/usr/local/go/bin/go'

/** Throws Unavailable. */
export function findGo(): string {
  const go = findProgram('go') ?? (existsSync(USUAL) ? USUAL : undefined)
  if (go === undefined) throw new Unavailable('go is missing: install Go 1.21 or newer')
  return go
}
