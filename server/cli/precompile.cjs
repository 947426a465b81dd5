/**
 * Compiles the server once, when it is installed, into the cache that logboom.cjs reads: so that the first start is as
 * quick and as small as the second. Starts nothing.
 */
'use strict'
const path = require('node:path')
const { readdirSync } = require('node:fs')
const { enableCompileCache } = require('node:module')
const { COMPILE_CACHE } = require('./compile-cache.cjs')

const ROOT = path.join(__dirname, '..', '..')
const ROOMS = ['server/core', 'server/config', 'server/delivery', 'server/admin', 'protocols', 'buffer', 'outputs']

function sources() {
  const files = ROOMS.flatMap((room) =>
    readdirSync(path.join(ROOT, room), { recursive: true }).map((name) => path.join(ROOT, room, name)),
  )
  return [path.join(ROOT, 'server', 'run.ts'), ...files.filter((file) => file.endsWith('.ts'))]
}

async function main() {
  enableCompileCache(COMPILE_CACHE)
  // The entries of threads are compiled and then complain that they are in none.
  for (const file of sources()) await import(file).catch(() => {})
}

main()
