/** Debian's HAProxy before TCP servers, from a configuration that a user would write. */
import { rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { findProgram, needPrograms, runFolder } from './availability.ts'
import { run } from './docker.ts'
import { accepts, ServerProcess } from './server-process.ts'

const START_LIMIT_MS = 30_000

export interface Haproxy {
  /** What the last health check of each server gave, by `backend/server`: `L4OK` for a connection that came about. */
  checks(): Promise<ReadonlyMap<string, string>>
  close(): Promise<void>
}

/** Resolves when it accepts connections at the port. @param config the text of a `haproxy.cfg`. @throws Unavailable */
export async function startHaproxy(config: string, port: number): Promise<Haproxy> {
  needPrograms({ haproxy: 'haproxy' })
  const folder = runFolder('haproxy')
  const file = path.join(folder, 'haproxy.cfg')
  writeFileSync(file, config)
  const [admin, socket] = [path.join(folder, 'admin.cfg'), path.join(folder, 'admin.sock')]
  writeFileSync(admin, `global\n  stats socket ${socket} level user\n`)
  const files = ['-f', file, '-f', admin]
  const { code, stdout, stderr } = await run(findProgram('haproxy')!, ['-c', ...files])
  if (code !== 0) throw new Error(`haproxy -c: ${stdout}${stderr}`)
  const server = new ServerProcess({
    command: findProgram('haproxy')!,
    args: ['-db', ...files],
    logFile: path.join(folder, 'haproxy.log'),
  })
  await server.waitUntil(() => accepts(port), START_LIMIT_MS)
  return {
    checks: async () => checksOf(await ask(socket, 'show stat\n')),
    close: async () => {
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function ask(socket: string, command: string): Promise<string> {
  const connection = connect(socket)
  connection.end(command)
  return text(connection)
}

/** Of the CSV of `show stat`, whose first line names the columns. */
function checksOf(csv: string): Map<string, string> {
  const [head = [], ...rows] = csv.split('\n').map((line) => line.replace(/^# /, '').split(','))
  const at = (row: readonly string[], column: string) => row[head.indexOf(column)] ?? ''
  const servers = rows.filter((row) => at(row, 'check_status') !== '')
  return new Map(servers.map((row) => [`${at(row, 'pxname')}/${at(row, 'svname')}`, at(row, 'check_status')]))
}
