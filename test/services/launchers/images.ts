/**
 * Local images under the names that our Dockerfile and compose files ask for, since no registry of images can be had:
 * Debian by mmdebstrap, and on it what the launchers install. Made once, and kept as archives.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { findProgram, installOnce, needPrograms, say } from './availability.ts'
import type { DockerEngine } from './docker.ts'
import { DISTRIBUTIONS, installSearch } from './elasticsearch-install.ts'
import { installMongo } from './mongodb.ts'
import { installS3 } from './s3.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const DEBIAN = 'debian:bookworm-slim'
/** Our own, from `deploy/Dockerfile`. */
export const LOGBOOM = 'logboom:latest'
const NPM = '11.21.2'
const BUILD_LIMIT_MS = 900_000
const DAY_MS = 24 * 3_600_000

interface Recipe {
  /** Of its Dockerfile, below `images`. */
  readonly folder: string
  /** Puts what the Dockerfile copies beside it. */
  readonly fill?: (context: string) => Promise<void>
  /** Tells one filling from another. */
  readonly contents?: string
}

const RECIPES = {
  'node:24-slim': { folder: 'node', fill: fillNode, contents: `${process.version} npm ${NPM}` },
  'nginx:stable': { folder: 'nginx' },
  'docker.elastic.co/elasticsearch/elasticsearch:8.19.21': {
    folder: 'elasticsearch',
    contents: DISTRIBUTIONS.elasticsearch8.version,
    fill: async (context: string) => {
      const home = await installSearch('elasticsearch8')
      cpSync(home, path.join(context, 'elasticsearch'), { recursive: true, verbatimSymlinks: true })
    },
  },
  'mongo:7.0': { folder: 'mongo', fill: async (context: string) => copyInto(context, await installMongo()) },
  'versity/versitygw:v1.8.0': {
    folder: 'versitygw',
    fill: async (context: string) => copyInto(context, await installS3()),
  },
  'prom/prometheus:v3.5.0': {
    folder: 'prometheus',
    fill: async (context: string) => {
      needPrograms({ prometheus: 'prometheus' })
      copyInto(context, findProgram('prometheus')!)
    },
  },
} as const satisfies Record<string, Recipe>

/** A name that {@link needImages} knows. */
export type ImageName = keyof typeof RECIPES | typeof LOGBOOM

/**
 * Sees to it that the engine has images of these names. One that the environment names pulls what it lacks by itself;
 * it only gets ours. Throws Unavailable.
 */
export async function needImages(engine: DockerEngine, names: readonly ImageName[]): Promise<void> {
  for (const name of names) {
    if (name === LOGBOOM) await needLogboom(engine)
    else if (engine.isOurs) await needArchived(engine, name, keyOf(RECIPES[name]), () => buildStandIn(engine, name))
  }
}

async function needLogboom(engine: DockerEngine): Promise<void> {
  const build = async () => {
    await needImages(engine, ['node:24-slim'])
    await buildImage(engine, ['--tag', LOGBOOM, '--file', path.join(ROOT, 'deploy', 'Dockerfile'), ROOT])
  }
  if (engine.isOurs) await needArchived(engine, LOGBOOM, digest(ROOT, sourcesOf(ROOT)), build)
  else await build()
}

async function buildStandIn(engine: DockerEngine, name: keyof typeof RECIPES): Promise<void> {
  const { folder, fill }: Recipe = RECIPES[name]
  await needDebian(engine)
  const context = mkdtempSync(path.join(tmpdir(), 'logboom-image-'))
  try {
    cpSync(recipeFolder(folder), context, { recursive: true })
    await fill?.(context)
    await buildImage(engine, ['--tag', name, context])
  } finally {
    rmSync(context, { recursive: true, force: true })
  }
}

/** The engines of tests have no bridge: what a build fetches goes by the machine's own network. */
async function buildImage(engine: DockerEngine, args: readonly string[]): Promise<void> {
  await succeed(engine, ['build', '--network', 'host', ...args])
}

/** Loads the image, or makes it and keeps it. */
async function needArchived(engine: DockerEngine, name: string, key: string, make: () => Promise<void>): Promise<void> {
  if ((await engine.docker(['image', 'inspect', name])).code === 0) return
  const file = name.replace(/[^a-z0-9.]+/g, '-')
  const began = performance.now()
  let isMade = false
  const folder = await installOnce(`image-${file}-${key}`, async (into) => {
    await make()
    await succeed(engine, ['save', '--output', path.join(into, 'image.tar'), name])
    isMade = true
  })
  sweep(`image-${file}-`, folder)
  if (!isMade) await succeed(engine, ['load', '--quiet', '--input', path.join(folder, 'image.tar')])
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  say(`image ${name} ${isMade ? 'made' : 'loaded'} in ${seconds} s`)
}

/** Images of sources that are no more take 300 MB each. Those of today may be another checkout's. */
function sweep(prefix: string, kept: string): void {
  const old = readdirSync(path.dirname(kept)).filter((name) => name.startsWith(prefix))
  for (const name of old.map((it) => path.join(path.dirname(kept), it))) {
    if (name !== kept && Date.now() - statSync(name).mtimeMs > DAY_MS) rmSync(name, { recursive: true, force: true })
  }
}

/** Debian's smallest set of packages with the machine's own authorities, mirror and keys. */
async function needDebian(engine: DockerEngine): Promise<void> {
  if ((await engine.docker(['image', 'inspect', DEBIAN])).code === 0) return
  const folder = await installOnce('image-debian-bookworm-1', (into) => {
    needPrograms({ mmdebstrap: 'mmdebstrap' })
    const left = ['man', 'doc', 'locale'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`)
    const options = ['--quiet', '--variant=minbase', '--include=ca-certificates', '--dpkgopt=force-unsafe-io', ...left]
    const authorities = '/etc/ssl/certs/ca-certificates.crt'
    if (existsSync(authorities)) options.push(`--customize-hook=cp ${authorities} "$1${authorities}"`)
    const mirror = '/etc/apt/sources.list.d/debian.sources'
    const args = [...options, 'bookworm', path.join(into, 'root.tar'), ...(existsSync(mirror) ? [mirror] : [])]
    execFileSync('mmdebstrap', args, { stdio: ['ignore', 'inherit', 'inherit'], timeout: BUILD_LIMIT_MS })
  })
  const search = 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  await succeed(engine, ['import', '--change', search, path.join(folder, 'root.tar'), DEBIAN])
}

async function fillNode(context: string): Promise<void> {
  copyInto(context, process.execPath)
  const npm = findProgram('npm')!
  execFileSync(npm, ['pack', '--silent', `npm@${NPM}`, '--pack-destination', context], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  execFileSync('tar', ['-xzf', path.join(context, `npm-${NPM}.tgz`), '-C', context, '--transform', 's/^package/npm/'])
}

function copyInto(context: string, file: string): void {
  cpSync(file, path.join(context, path.basename(file)))
}

async function succeed(engine: DockerEngine, args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await engine.docker(args, BUILD_LIMIT_MS)
  if (code !== 0) throw new Error(`docker ${args.join(' ')}:\n${stdout.slice(-4000)}\n${stderr.slice(-4000)}`)
}

const recipeFolder = (folder: string) => fileURLToPath(new URL(`./images/${folder}`, import.meta.url))

function keyOf({ folder, contents = '' }: Recipe): string {
  const base = recipeFolder(folder)
  return digest(base, readdirSync(base), contents)
}

/** What `docker build` is given of the project. */
function sourcesOf(root: string): string[] {
  const ignored = readFileSync(path.join(root, '.dockerignore'), 'utf8').split('\n')
  const isGiven = (name: string) => !ignored.some((entry) => name === entry || name.startsWith(`${entry}/`))
  const folders = readdirSync(root).filter(isGiven)
  const names = folders.flatMap((folder) => filesBelow(root, folder)).filter(isGiven)
  return [...names, 'deploy/Dockerfile']
}

function filesBelow(root: string, name: string): string[] {
  if (!statSync(path.join(root, name)).isDirectory()) return [name]
  return readdirSync(path.join(root, name)).flatMap((child) => filesBelow(root, `${name}/${child}`))
}

function digest(root: string, names: readonly string[], contents = ''): string {
  const hash = createHash('sha256').update(contents)
  for (const name of [...names].sort()) hash.update(`\n${name}\n`).update(readFileSync(path.join(root, name)))
  return hash.digest('hex').slice(0, 12)
}
