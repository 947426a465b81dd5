/** The units of systemd: what systemd itself says of them, and that they and the default configuration agree. */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { runVerb } from '../e2e/program.ts'
import { findProgram, need, needPrograms } from './launchers/availability.ts'
import { run } from './launchers/docker.ts'

const UNITS = path.join(import.meta.dirname, '../../deploy/systemd')
/** What systemd-analyze rates from 0, safe, to 10; nginx as Debian ships it has 9.6. */
const EXPOSURE_MAX = 2.5

test('systemd-analyze has nothing to say against the units', async (t) => {
  if ((await need(t, () => needPrograms({ 'systemd-analyze': 'systemd' }))) === undefined) return
  const folder = mkdtempSync(path.join(tmpdir(), 'logboom-units-'))
  t.after(() => rmSync(folder, { recursive: true }))
  cpSync(UNITS, folder, { recursive: true })
  const service = path.join(folder, 'logboom.service')
  // The program of the unit must be there for it: here it is where the project is.
  const command = path.join(UNITS, '../../server/cli/logboom.cjs')
  const unit = readFileSync(service, 'utf8').replace('/opt/logboom/server/cli/logboom.cjs', command)
  writeFileSync(service, unit.replace(/^Documentation=file.*\n/m, ''))
  const analyze = findProgram('systemd-analyze')!
  const verified = await run(analyze, ['verify', '--man=no', service, path.join(folder, 'logboom.socket')])
  assert.deepEqual([verified.code, verified.stderr.trim()], [0, ''])
  const security = await run(analyze, ['security', '--offline=yes', '--no-pager', service])
  const exposure = Number(/Overall exposure level.*?: (\d+\.\d)/.exec(security.stdout)?.[1])
  assert.ok(exposure <= EXPOSURE_MAX, security.stdout)
  process.stdout.write(`# exposure ${exposure}\n`)
})

test('each address of the socket unit is one that an input can listen on', async (t) => {
  const unit = readFileSync(path.join(UNITS, 'logboom.socket'), 'utf8')
  const addresses = new Set([...unit.matchAll(/^Listen(?:Stream|Datagram)=(.*)$/gm)].map(([, address]) => address!))
  assert.deepEqual([...addresses], ['0.0.0.0:24224', '0.0.0.0:12201'])
  const folder = mkdtempSync(path.join(tmpdir(), 'logboom-units-'))
  t.after(() => rmSync(folder, { recursive: true }))
  mkdirSync(path.join(folder, 'state'))
  const file = path.join(folder, 'logboom.yaml')
  const [forward, gelf] = [...addresses]
  const inputs = `inputs: { forward: { listen: "${forward}" }, gelf: { listen: "${gelf}" } }`
  writeFileSync(file, `${inputs}\nbuffer: { path: ${folder}/state }\noutputs: { local: { match: "**" } }\n`)
  const { code, stderr } = await runVerb(folder, ['validate', '-c', file])
  assert.deepEqual([code, stderr.includes('LB-')], [0, false], stderr)
})
