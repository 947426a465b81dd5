/** The house rules that can be checked: who may import whom, sizes, names, and tables without idle rows. */
import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { ERRORS } from '../../server/core/errors.ts'
import { FAILPOINTS } from '../../server/core/failpoints.ts'
import { METRICS, REJECT_REASONS } from '../../server/core/metrics.ts'
import { allFiles, importsOf, productSources, read, type SourceFile, sources } from './source-files.ts'

const FILE_LINES_MAX = 400
const TEST_FILE_LINES_MAX = 600
const FUNCTION_LINES_MAX = 70
const LINE_LENGTH_MAX = 120

/** The rules below return what breaks them, so that a failure lists every place. */
function assertNone(found: readonly string[], rule: string): void {
  assert.deepEqual(found, [], `${rule}:\n  ${found.join('\n  ')}\n`)
}

const roomOf = (name: string) => name.split('/')[0]!

test('protocols, buffer and outputs never import one another, and import of the server only its core', () => {
  const rooms = new Set(['protocols', 'buffer', 'outputs'])
  const found = productSources
    .filter((file) => rooms.has(roomOf(file.name)))
    .flatMap((file) =>
      importsOf(file)
        .filter(({ target }) => target !== undefined)
        .filter(({ target }) => roomOf(target!) !== roomOf(file.name) && !target!.startsWith('server/core/'))
        .map(({ target }) => `${file.name} imports ${target}`),
    )
  assertNone(found, 'a room reaches into another')
})

test('server/core imports nothing of ours but itself (and the types of the contracts)', () => {
  const found = productSources
    .filter((file) => file.name.startsWith('server/core/'))
    .flatMap((file) =>
      importsOf(file)
        .filter(({ target, isTypeOnly }) => target !== undefined && !isTypeOnly && !target.startsWith('server/core/'))
        .map(({ target }) => `${file.name} imports ${target}`),
    )
  assertNone(found, 'the core depends on a room')
})

/** Within a room: what its components share. */
const SHARED_FOLDERS = [
  'protocols/listening',
  'protocols/encoding',
  'outputs/output',
  'outputs/encoding',
  'outputs/aws',
]

test('a component never imports a sibling component', () => {
  const component = (name: string) => {
    const [room, first, second] = name.split('/')
    return second === undefined ? `${room}/${path.posix.basename(first!, '.ts')}` : `${room}/${first}`
  }
  const shared = new Set(['protocols/protocol', ...SHARED_FOLDERS])
  const found = productSources
    .filter((file) => ['protocols', 'outputs'].includes(roomOf(file.name)))
    .filter((file) => !file.name.endsWith('/registry.ts'))
    .flatMap((file) =>
      importsOf(file)
        .filter(({ target }) => target !== undefined && roomOf(target) === roomOf(file.name))
        .filter(({ target }) => component(target!) !== component(file.name) && !shared.has(component(target!)))
        .map(({ target }) => `${file.name} imports ${target}`),
    )
  assertNone(found, 'a component imports its neighbour')
})

test('only the configuration imports the registries, and only the pipeline knows all three rooms', () => {
  const found = productSources.flatMap((file) =>
    importsOf(file)
      .filter(({ target }) => target?.endsWith('/registry.ts') && !file.name.startsWith('server/config/'))
      .map(({ target }) => `${file.name} imports ${target}`),
  )
  assertNone(found, 'a registry is imported outside server/config')
})

test('in buffer/ only file-system.ts touches the disk', () => {
  const found = productSources
    .filter((file) => roomOf(file.name) === 'buffer' && file.name !== 'buffer/file-system.ts')
    .filter((file) => importsOf(file).some(({ specifier }) => /^node:fs/.test(specifier)))
    .map((file) => file.name)
  assertNone(found, 'node:fs outside buffer/file-system.ts')
})

test('the SDK of a destination is imported when its output is opened, not before', () => {
  const found = productSources
    .filter((file) => roomOf(file.name) === 'outputs')
    .flatMap((file) =>
      [...file.text.matchAll(/^import (?!type)[^\n]*from '(@[^']+|mongodb)'/gm)].map((m) => `${file.name}: ${m[1]}`),
    )
  assertNone(found, 'an SDK is imported at the top of a file')
})

test('only server/main.ts and the command line frame end the process', () => {
  const allowed = new Set(['server/main.ts'])
  const found = productSources
    .filter((file) => !allowed.has(file.name) && /process\.exit\(/.test(file.text))
    .map((file) => file.name)
  assertNone(found, 'process.exit outside server/main.ts')
})

test('files, functions and lines stay small', () => {
  const tooLong = sources
    .filter((file) => file.lines.length > (file.name.startsWith('test/') ? TEST_FILE_LINES_MAX : FILE_LINES_MAX))
    .map((file) => `${file.name}: ${file.lines.length} lines`)
  const wide = sources.flatMap((file) =>
    file.lines.flatMap((line, index) => (line.length > LINE_LENGTH_MAX ? [`${file.name}:${index + 1}`] : [])),
  )
  assertNone([...tooLong, ...wide, ...productSources.flatMap(longFunctions)], 'too large')
})

/** Finds ends by indentation, which the formatter guarantees. */
function longFunctions(file: SourceFile): string[] {
  const start = /^(\s*)(?:export )?(?:default )?(?:async )?(?:function\b|(?:static |async |get |#)*[\w$#]+\([^=]*\{$)/
  return file.lines.flatMap((line, index) => {
    const match = start.exec(line)
    if (match === null || /^\s*(?:if|for|while|switch|catch|return)\b/.test(line)) return []
    const end = file.lines.findIndex((other, at) => at > index && other.startsWith(`${match[1]}}`))
    const length = end - index + 1
    return length > FUNCTION_LINES_MAX ? [`${file.name}:${index + 1}: ${length} lines`] : []
  })
}

test('names are kebab-case and say something', () => {
  const idle = /(^|[-/])(utils?|helpers?|managers?|common|misc|data|info)([-.]|$)/
  const found = sources
    .map((file) => file.name)
    .filter((name) => !/^[a-z0-9-]+(\.[a-z]+)*\.tsx?$/.test(path.posix.basename(name)) || idle.test(name))
  assertNone(found, 'file names')
})

test('every file says first what lives in it', () => {
  const found = productSources.filter((file) => !/^(#!.*\n)?(\/\/|\/\*)/.test(file.text)).map((file) => file.name)
  assertNone(found, 'no opening comment')
})

const ERROR_TABLES = new Set([
  'server/core/errors.ts',
  'server/core/input-errors.ts',
  'server/core/dead-letter-errors.ts',
])

test('each error of the table is raised somewhere, and no other code exists', () => {
  const codes = new Set(Object.keys(ERRORS))
  const users = productSources.filter((file) => !ERROR_TABLES.has(file.name))
  const used = new Set(users.flatMap((file) => file.text.match(/LB-[A-Z]\d{3}/g) ?? []))
  assertNone(
    [...codes].filter((code) => !used.has(code)),
    'declared and never raised',
  )
  assertNone(
    [...used].filter((code) => !codes.has(code)),
    'raised and not declared',
  )
})

test('each metric and each reject reason is filled somewhere', () => {
  const users = productSources.filter((file) => file.name !== 'server/core/metrics.ts').map((file) => file.text)
  const isUsed = (word: string) => users.some((text) => text.includes(word))
  assertNone(
    Object.keys(METRICS).filter((name) => !isUsed(name)),
    'metrics declared and never filled',
  )
  assertNone(
    REJECT_REASONS.filter((reason) => !isUsed(`'${reason}'`) && !isUsed(`rejected.${reason}`)),
    'reasons',
  )
})

test('each failpoint stands somewhere in the code, says what it is, and no other is asked for', () => {
  const users = productSources.filter((file) => file.name !== 'server/core/failpoints.ts')
  const isUsed = (name: string) => users.some((file) => file.text.includes(`'${name}'`))
  assertNone(
    Object.entries(FAILPOINTS)
      .filter(([name, what]) => !isUsed(name) || what.length < 20)
      .map(([name]) => name),
    'failpoints declared and never hit',
  )
})

test('nothing names a path of a machine, and the lock file names no download address', () => {
  const machine = /(^|[^.\w])\/(work|root|farm)\/|\.\.\/shared\//
  const text = allFiles.filter((name) => /\.(ts|tsx|md|json|ya?ml|sh|cjs|css|html)$|^\.ci\//.test(name)).map(read)
  const found = text.filter((file) => file.name !== 'test/tidy/tidy.test.ts' && machine.test(file.text))
  assertNone(
    found.map((file) => file.name),
    'a path of a machine',
  )
  assert.doesNotMatch(read('package-lock.json').text, /"resolved"/)
})

test('every run-time dependency is used', () => {
  const { dependencies } = JSON.parse(read('package.json').text) as { dependencies: Record<string, string> }
  const used = new Set(productSources.flatMap((file) => importsOf(file).map(({ specifier }) => specifier)))
  const isUsed = (name: string) => [...used].some((it) => it === name || it.startsWith(`${name}/`))
  // `node` is the run-time itself: npm scripts and the command find its binary.
  assertNone(
    Object.keys(dependencies).filter((name) => name !== 'node' && !isUsed(name)),
    'idle dependencies',
  )
})
