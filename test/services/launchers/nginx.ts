/** Debian's nginx as a balancer of TCP and UDP (its `stream` module), from a configuration that a user would write. */
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { findProgram, needPrograms, runFolder } from './availability.ts'
import { ServerProcess } from './server-process.ts'

const STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so'
const START_LIMIT_MS = 30_000

export interface Nginx {
  /** What it has logged, the last lines of it. */
  logTail(): string
  close(): Promise<void>
}

/**
 * Starts it with the text of an `nginx.conf` that loads no module and names no file. Debian's package has the module
 * by itself, while in nginx's own image it is part of the program. @throws Unavailable
 */
export async function startNginx(config: string): Promise<Nginx> {
  needPrograms({ nginx: 'nginx', [STREAM_MODULE]: 'libnginx-mod-stream' })
  const folder = runFolder('nginx')
  const [file, pid] = [path.join(folder, 'nginx.conf'), path.join(folder, 'nginx.pid')]
  writeFileSync(file, `load_module ${STREAM_MODULE};\n${config}`)
  const server = new ServerProcess({
    command: findProgram('nginx')!,
    args: ['-p', folder, '-c', file, '-e', 'stderr', '-g', `daemon off; pid ${pid};`],
    logFile: path.join(folder, 'nginx.log'),
  })
  // The process id is written when the sockets are open.
  await server.waitUntil(async () => existsSync(pid), START_LIMIT_MS)
  return {
    logTail: () => server.logTail(),
    close: async () => {
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
