/** Forward clients of other languages, as their own registries publish them: each sends one line and ends. */
import { execFileSync } from 'node:child_process'
import { cpSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { installOnce, needPrograms } from './availability.ts'
import { type Finished, run } from './docker.ts'
import { findGo } from './go.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const PYTHON_FLUENT_LOGGER = '0.11.1'
const INSTALL = { stdio: ['ignore', 'inherit', 'inherit'] as ('ignore' | 'inherit')[], timeout: 300_000 }

const sourceOf = (name: string) => fileURLToPath(new URL(`./${name}`, import.meta.url))

/** Sends `{message}` under the tag to 127.0.0.1:port. */
export type Sender = (port: number, tag: string, message: string) => Promise<Finished>

/** PyPI's fluent-logger: Message mode, whole seconds, no ack. */
export async function pythonSender(): Promise<Sender> {
  needPrograms({ python3: 'python3' })
  const folder = await installOnce(`python-fluent-logger-${PYTHON_FLUENT_LOGGER}`, (into) => {
    // No venv: its paths would not survive the move to its final name.
    const options = ['-m', 'pip', 'install', '-q', '--no-cache-dir', '--target', into]
    needPip()
    execFileSync('python3', [...options, `fluent-logger==${PYTHON_FLUENT_LOGGER}`], INSTALL)
  })
  const script = [
    'import sys, fluent.sender',
    'port, tag, message = sys.argv[1:]',
    'logger = fluent.sender.FluentSender(tag, host="127.0.0.1", port=int(port))',
    'ok = logger.emit(None, {"message": message})',
    'logger.close()',
    'sys.exit(0 if ok else repr(logger.last_error))',
  ].join('\n')
  const env = { ...process.env, PYTHONPATH: folder }
  return (port, tag, message) => run('python3', ['-c', script, `${port}`, tag, message], { env })
}

function needPip(): void {
  try {
    execFileSync('python3', ['-m', 'pip', '--version'], { stdio: 'ignore' })
  } catch {
    needPrograms({ pip3: 'python3-pip' })
  }
}

/** fluent-logger-golang, which Docker's driver is made of: Message mode, nanoseconds, asks for an ack. */
export async function goSender(): Promise<Sender> {
  const program = await buildGo('go-sender')
  return (port, tag, message) => run(program, [`${port}`, tag, message])
}

/** Builds a program of this folder once. Throws Unavailable. */
export async function buildGo(name: string): Promise<string> {
  const go = findGo()
  const folder = await installOnce(`${name}-1`, (into) => {
    cpSync(sourceOf(name), into, { recursive: true })
    execFileSync(go, ['build', '-o', name, '.'], { ...INSTALL, cwd: into })
  })
  return path.join(folder, name)
}

export const GO_MODES = ['Message', 'MessageExt', 'Forward', 'PackedForward', 'CompressedPackedForward'] as const

export interface GoOptions {
  readonly mode: (typeof GO_MODES)[number]
  /** Without it, Message mode's option is nil. */
  readonly isAcked: boolean
  readonly sharedKey?: string
}

/** IBM's fluent-forward-go: every mode, a salt that is bin, and a HELO that must be bin. */
export async function forwardGoSender(): Promise<(options: GoOptions) => Sender> {
  const program = await buildGo('forward-go-sender')
  return ({ mode, isAcked, sharedKey }) =>
    (port, tag, message) => {
      const key = sharedKey === undefined ? [] : [sharedKey]
      return run(program, [`${port}`, tag, message, mode, isAcked ? 'ack' : 'silent', ...key])
    }
}

/** Maven's fluent-logger (Message mode in the msgpack of old, whole seconds, no ack). */
export const fluentLoggerJavaSender = () => javaSender('FluentLoggerSender')
/** Maven's Fluency (PackedForward, nanoseconds, acks of its UUIDs, one read each). */
export const fluencySender = () => javaSender('FluencySender')

async function javaSender(mainClass: string): Promise<Sender> {
  needPrograms({ mvn: 'maven', java: 'openjdk-17-jdk-headless', javac: 'openjdk-17-jdk-headless' })
  const folder = await installOnce('forward-java-sender-1', (into) => {
    const source = sourceOf('forward-java-sender')
    execFileSync('mvn', ['-q', '-B', '-f', path.join(source, 'pom.xml'), `-Dinto=${into}`, 'package'], INSTALL)
    const classes = ['FluentLoggerSender.java', 'FluencySender.java'].map((name) => path.join(source, name))
    execFileSync('javac', ['-cp', `${into}/*`, '-d', into, ...classes], INSTALL)
  })
  return (port, tag, message) => run('java', ['-cp', `${folder}/*:${folder}`, mainClass, `${port}`, tag, message])
}

/** npm's fluent-logger, in Message mode with an ack. */
export async function nodeSender(): Promise<Sender> {
  const script = [
    "const sender = require('fluent-logger').createFluentSender(null, {",
    "  host: '127.0.0.1', port: Number(process.argv[1]), timeout: 20, requireAckResponse: true,",
    '  ackResponseTimeout: 20000 })',
    "sender.on('error', (error) => { console.error(error); process.exit(1) })",
    'sender.emit(process.argv[2], { message: process.argv[3] }, (error) => process.exit(error ? 1 : 0))',
  ]
  return (port, tag, message) => nodeScript(script, [`${port}`, tag, message])
}

/** npm's @fluent-org/logger, packed and compressed, with an ack. */
export async function fluentOrgSender(): Promise<Sender> {
  const script = [
    "const { FluentClient } = require('@fluent-org/logger')",
    'const [port, tag, message] = process.argv.slice(1)',
    "const socket = { host: '127.0.0.1', port: Number(port) }",
    "const options = { socket, eventMode: 'CompressedPackedForward', ack: { ackTimeout: 20000 } }",
    'new FluentClient(undefined, options).emit(tag, { message }).then(() => process.exit(0), (error) => {',
    '  console.error(error)',
    '  process.exit(1)',
    '})',
  ]
  return (port, tag, message) => nodeScript(script, [`${port}`, tag, message])
}

const nodeScript = (lines: readonly string[], args: readonly string[]) =>
  run(process.execPath, ['-e', lines.join('\n'), ...args], { cwd: ROOT })
