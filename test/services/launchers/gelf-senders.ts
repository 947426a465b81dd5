/** GELF clients of other languages, as their own registries publish them: each sends one message and ends. */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { findProgram, installOnce, needPrograms, Unavailable } from './availability.ts'
import { type Finished, run } from './docker.ts'

const GRAYPY = '2.1.0'
const LOGSTASH_GELF = '1.15.1'
const INSTALL = { stdio: ['ignore', 'inherit', 'inherit'] as ('ignore' | 'inherit')[], timeout: 300_000 }

export type Transport = 'udp' | 'tcp' | 'http'
/** Sends the message to 127.0.0.1:port. */
export type GelfSender = (port: number, transport: Transport, message: string) => Promise<Finished>

const sourceOf = (name: string) => fileURLToPath(new URL(`./${name}`, import.meta.url))

/** PyPI's graypy: version 1.0, zlib, fields without underscore, and over HTTP a Content-Encoding that is not so. */
export async function graypySender(): Promise<GelfSender> {
  needPrograms({ python3: 'python3' })
  const folder = await installOnce(`graypy-${GRAYPY}`, (into) => {
    // No venv: its paths would not survive the move to its final name.
    const options = ['-m', 'pip', 'install', '-q', '--no-cache-dir', '--target', into]
    execFileSync('python3', [...options, `graypy==${GRAYPY}`], INSTALL)
  })
  const script = [
    'import sys, logging, graypy',
    'port, transport, message = sys.argv[1:]',
    'kinds = {"udp": graypy.GELFUDPHandler, "tcp": graypy.GELFTCPHandler, "http": graypy.GELFHTTPHandler}',
    'handler = kinds[transport]("127.0.0.1", int(port))',
    'logger = logging.getLogger("shop")',
    'logger.addHandler(handler)',
    'logger.warning(message, extra={"client": "graypy", "big": 9007199254740993})',
    'handler.close()',
  ].join('\n')
  const env = { ...process.env, PYTHONPATH: folder }
  return (port, transport, message) => run('python3', ['-c', script, `${port}`, transport, message], { env })
}

/** Graylog's library for Go, which Docker's driver is made of: gzip over UDP, plain over TCP. */
export async function goGelfSender(): Promise<GelfSender> {
  const go = findProgram('go') ?? (existsSync('/usr/local/go/bin/go') ? '/usr/local/go/bin/go' : undefined)
  if (go === undefined) throw new Unavailable('go is missing: install Go 1.21 or newer')
  const folder = await installOnce('gelf-go-sender-1', (into) => {
    cpSync(sourceOf('gelf-go-sender'), into, { recursive: true })
    execFileSync(go, ['build', '-o', 'gelf-sender', '.'], { ...INSTALL, cwd: into })
  })
  return (port, transport, message) => run(path.join(folder, 'gelf-sender'), [`${port}`, transport, message])
}

/** Maven's logstash-gelf, by its handler for java.util.logging. */
export async function logstashGelfSender(): Promise<GelfSender> {
  needPrograms({ mvn: 'maven', java: 'openjdk-17-jdk-headless', javac: 'openjdk-17-jdk-headless' })
  const folder = await installOnce(`logstash-gelf-${LOGSTASH_GELF}`, (into) => {
    const artifact = `biz.paluch.logging:logstash-gelf:${LOGSTASH_GELF}`
    const copy = ['dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${into}`]
    execFileSync('mvn', ['-q', '-B', ...copy], INSTALL)
    const jar = path.join(into, `logstash-gelf-${LOGSTASH_GELF}.jar`)
    const source = path.join(sourceOf('gelf-java-sender'), 'GelfSender.java')
    execFileSync('javac', ['-cp', jar, '-d', into, source], INSTALL)
  })
  const classes = `${folder}/logstash-gelf-${LOGSTASH_GELF}.jar:${folder}`
  return (port, transport, message) => run('java', ['-cp', classes, 'GelfSender', `${port}`, transport, message])
}

/** npm's gelf-pro, each time a new process, since it keeps its address: zlib over UDP, plain over TCP. */
export async function gelfProSender(): Promise<GelfSender> {
  const script = [
    "const gelf = require('gelf-pro')",
    'const [port, adapterName, message] = process.argv.slice(1)',
    "gelf.setConfig({ adapterName, adapterOptions: { host: '127.0.0.1', port: Number(port) } })",
    "gelf.message(message, 6, { client: 'gelf-pro', deep: { a: 1 } }, (error) => process.exit(error ? 1 : 0))",
  ].join('\n')
  const cwd = fileURLToPath(new URL('../../..', import.meta.url))
  return (port, transport, message) => run(process.execPath, ['-e', script, `${port}`, transport, message], { cwd })
}
