/** Whether a real service can be had here, and where what was installed for it is kept. Starts nothing. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs'

import path, { delimiter } from 'node:path'
import type { TestContext } from 'node:test'

/** A service that cannot be had, with the reason: what is missing and how to get it. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable'
}

/**
 * Gets what a test needs. Outside of CI a service that cannot be had skips the test with the reason
 * (undefined is returned); with CI=true it fails the test.
 */
export async function need<T>(t: TestContext, get: () => Promise<T> | T): Promise<T | undefined> {
  try {
    return await get()
  } catch (error) {
    if (!(error instanceof Unavailable) || process.env.CI === 'true') throw error
    t.skip(error.message)
    return undefined
  }
}

/**
 * Where installed servers live. Not a home folder: Elasticsearch refuses root and runs as `nobody`,
 * who must be able to walk there.
 */
const CACHE = path.resolve(process.env.LOGBOOM_TEST_CACHE ?? '/var/tmp/logboom-test-services')

/** A folder below the cache, made where it is not there. Everybody may read it. */
export function cacheFolder(...names: readonly string[]): string {
  const folder = path.join(CACHE, ...names)
  mkdirSync(folder, { recursive: true, mode: 0o755 })
  return folder
}

/** A fresh folder for one running server: its data, its sockets, its log. */
export function runFolder(name: string): string {
  const folder = mkdtempSync(path.join(cacheFolder('run'), `${name}-`))
  chmodSync(folder, 0o755)
  return folder
}

/**
 * Installs into `<cache>/<name>` once: `fill` gets an empty folder, which takes the name only when `fill` has
 * succeeded,
 * so that a broken download is never taken for an installation.
 */
export async function installOnce(name: string, fill: (folder: string) => Promise<void> | void): Promise<string> {
  const target = path.join(CACHE, name)
  if (isFolder(target)) return target
  say(`installing ${name} into ${target}`)
  const draft = mkdtempSync(path.join(cacheFolder(), '.draft-'))
  chmodSync(draft, 0o755)
  try {
    await fill(draft)
    renameSync(draft, target)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  return target
}

/** Finds a program on PATH and in the folders of the system's administrator; or a file, by its whole name. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders.map((folder) => path.resolve(folder, name)).find(isExecutable)
}

/**
 * Sees to it that each program is there; what is missing is installed by apt-get, as root.
 * @param packageOf program → Debian package
 * @returns true, for `need`; throws Unavailable
 */
export function needPrograms(packageOf: Readonly<Record<string, string>>): true {
  const missing = Object.entries(packageOf).filter(([program]) => findProgram(program) === undefined)
  if (missing.length === 0) return true
  const packages = [...new Set(missing.map(([, name]) => name))]
  const names = missing.map(([program]) => program).join(', ')
  if (process.getuid?.() !== 0 || findProgram('apt-get') === undefined) {
    throw new Unavailable(`${names} is missing: install ${packages.join(' ')} (apt-get needs root)`)
  }
  say(`apt-get install ${packages.join(' ')}`)
  aptInstall(packages)
  const still = missing.filter(([program]) => findProgram(program) === undefined)
  if (still.length > 0) throw new Unavailable(`${still.map(([program]) => program).join(', ')}: not in ${packages}`)
  return true
}

function aptInstall(packages: readonly string[]): void {
  const install = ['install', '-y', '-qq', '--no-install-recommends', ...packages]
  try {
    aptGet(install)
  } catch {
    aptGet(['update', '-qq'])
    aptGet(install)
  }
}

function aptGet(options: readonly string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  try {
    execFileSync('apt-get', options, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: 300_000 })
  } catch (error) {
    throw new Unavailable(`apt-get ${options.join(' ')}: ${(error as { stderr?: Buffer }).stderr ?? error}`)
  }
}

function isExecutable(file: string): boolean {
  return statOf(file)?.isFile() === true
}

function isFolder(file: string): boolean {
  return statOf(file)?.isDirectory() === true
}

function statOf(file: string) {
  return statSync(file, { throwIfNoEntry: false })
}

/** For the one who watches the run: to stderr, so that a test's output stays whole. */
export function say(text: string): void {
  process.stderr.write(`# ${text}\n`)
}
