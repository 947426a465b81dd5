/**
 * A container that prints what it is fed, through Docker's gelf driver. UDP loses without a word what a receiver has
 * no room for, so it is fed no faster than the instances store.
 */
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import path from 'node:path'
import { type DockerEngine, run } from '../../services/launchers/docker.ts'

/** Lines under way at a time: small enough for the least receive buffer between the driver and the disk. */
const LINES_UNDER_WAY = 1_000

export interface Feed {
  readonly engine: DockerEngine
  /** For the pipe. */
  readonly folder: string
  readonly name: string
  readonly port: number
  readonly tag: string
  readonly lines: readonly string[]
  /** Resolves when so many of the lines are stored. */
  readonly untilStored: (lines: number) => Promise<void>
}

/** Resolves when all lines are stored and the container has ended. */
export async function feedContainer({ engine, folder, name, port, tag, lines, untilStored }: Feed): Promise<void> {
  const pipe = path.join(folder, `${name}.pipe`)
  const made = await run('mkfifo', [pipe])
  if (made.code !== 0) throw new Error(made.stderr)
  const container = engine.runContainer({
    command: ['cat', `/in/${name}.pipe`],
    logDriver: 'gelf',
    logOptions: { 'gelf-address': `udp://127.0.0.1:${port}`, 'gelf-compression-type': 'none', tag },
    name,
    options: ['--volume', `${folder}:/in:ro`],
  })
  const stream = createWriteStream(pipe)
  await Promise.race([once(stream, 'open'), container])
  for (let at = 0; at < lines.length; at += LINES_UNDER_WAY) {
    const some = lines.slice(at, at + LINES_UNDER_WAY)
    stream.write(`${some.join('\n')}\n`)
    await untilStored(at + some.length)
  }
  stream.end()
  const { code, stderr } = await container
  if (code !== 0) throw new Error(`docker run: ${code} ${stderr}`)
}
