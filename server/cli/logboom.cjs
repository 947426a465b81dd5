#!/usr/bin/env node
/**
 * The program's door for any Node: one that is too old starts it again with the Node that npm installed, and a new
 * one keeps what it compiled for the next start. Nothing else.
 */
'use strict'
const path = require('node:path')
const { constants } = require('node:os')

const NODE_MAJOR = 24
const MAIN = path.join(__dirname, '..', 'main.ts')
/** As in `npm start`: USR1 is not for the debugger, and young objects are few, so that more room for them is waste. */
const NODE_OPTIONS = ['--disable-sigusr1', '--max-semi-space-size=1']
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1']

/** The binary of the npm package `node`, in this project's or a parent's node_modules. */
function findNode() {
  try {
    const manifest = require.resolve('node/package.json', { paths: [__dirname, process.cwd()] })
    if (Number.parseInt(require(manifest).version, 10) < NODE_MAJOR) return undefined
    return path.join(path.dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  } catch {
    return undefined
  }
}

function fail(reason) {
  process.stderr.write(
    `logboom needs Node ${NODE_MAJOR} or later; this is ${process.version}${reason}. ` +
      `Run \`npm install\` in its folder, which brings one, or install it from https://nodejs.org.\n`,
  )
  process.exitCode = 1
}

/**
 * Sockets that were handed over to this process go on to the next one, which must find its own number in LISTEN_PID: a
 * shell, which becomes it, knows that number. [sd_listen_fds(3)]
 */
function start(node, words) {
  const { spawn } = require('node:child_process')
  const { LISTEN_PID, LISTEN_FDS } = process.env
  if (LISTEN_PID !== `${process.pid}`) return spawn(node, words, { stdio: 'inherit' })
  const stdio = Array.from({ length: 3 + (Number(LISTEN_FDS) || 0) }, (_, fd) => (fd < 3 ? 'inherit' : fd))
  return spawn('/bin/sh', ['-c', 'LISTEN_PID=$$ exec "$0" "$@"', node, ...words], { stdio })
}

function runWith(node) {
  const child = start(node, [...NODE_OPTIONS, __filename, ...process.argv.slice(2)])
  // Ctrl-C at a terminal reaches the child by itself; twice would mean "at once".
  const isTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
  const forward = (signal) => (signal === 'SIGINT' && isTerminal) || child.kill(signal)
  for (const signal of SIGNALS) process.on(signal, forward)
  child.on('error', (error) => fail(`, and ${node} does not start: ${error.message}`))
  child.on('exit', (code, signal) => {
    for (const name of SIGNALS) process.off(name, forward)
    // The same end as the child's; 128 + number where its signal does not end this process.
    process.exitCode = signal === null ? code : 128 + constants.signals[signal]
    if (signal !== null) process.kill(process.pid, signal)
  })
}

if (Number.parseInt(process.versions.node, 10) >= NODE_MAJOR) {
  const { COMPILE_CACHE } = require('./compile-cache.cjs')
  require('node:module').enableCompileCache(COMPILE_CACHE)
  // For the threads.
  process.env.NODE_COMPILE_CACHE = COMPILE_CACHE
  import(MAIN)
} else {
  const node = findNode()
  if (node === undefined) fail('')
  else runWith(node)
}
