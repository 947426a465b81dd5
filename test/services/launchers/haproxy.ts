/** Debian's HAProxy before TCP servers, from a configuration that a user would write. */
import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { findProgram, needPrograms, runFolder } from './availability.ts'
import { run } from './docker.ts'
import { accepts, ServerProcess } from './server-process.ts'

const START_LIMIT_MS = 30_000

export interface Haproxy {
  close(): Promise<void>
}

/** Resolves when it accepts connections at the port. @param config the text of a `haproxy.cfg`. @throws Unavailable */
export async function startHaproxy(config: string, port: number): Promise<Haproxy> {
  needPrograms({ haproxy: 'haproxy' })
  const folder = runFolder('haproxy')
  const file = path.join(folder, 'haproxy.cfg')
  writeFileSync(file, config)
  const { code, stdout, stderr } = await run(findProgram('haproxy')!, ['-c', '-f', file])
  if (code !== 0) throw new Error(`haproxy -c: ${stdout}${stderr}`)
  const server = new ServerProcess({
    command: findProgram('haproxy')!,
    args: ['-db', '-f', file],
    logFile: path.join(folder, 'haproxy.log'),
  })
  await server.waitUntil(() => accepts(port), START_LIMIT_MS)
  return {
    close: async () => {
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
