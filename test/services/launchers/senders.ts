/** Forward clients of other languages, as their own registries publish them: each sends one line and ends. */
import { execFileSync } from 'node:child_process'
import { cpSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { installOnce, needPrograms } from './availability.ts'
import { type Finished, run } from './docker.ts'
import { findGo } from './go.ts'

const PYTHON_FLUENT_LOGGER = '0.11.1'
const INSTALL = { stdio: ['ignore', 'inherit', 'inherit'] as ('ignore' | 'inherit')[], timeout: 300_000 }

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
  const go = findGo()
  const source = fileURLToPath(new URL('./go-sender', import.meta.url))
  const folder = await installOnce('go-sender-1', (into) => {
    cpSync(source, into, { recursive: true })
    execFileSync(go, ['build', '-o', 'go-sender', '.'], { ...INSTALL, cwd: into })
  })
  return (port, tag, message) => run(path.join(folder, 'go-sender'), [`${port}`, tag, message])
}
