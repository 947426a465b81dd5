/**
 * Docker's compose against an engine of a test: the CLI's plugin where the machine has it, else Debian's
 * docker-compose. Compose files are run as they are.
 */
import { needPrograms, Unavailable } from './availability.ts'
import { type DockerEngine, type Finished, run } from './docker.ts'

const LIMIT_MS = 300_000

export interface Project {
  /** Runs `docker compose ARGS` for the project. Throws with its words when it fails. */
  compose(...args: readonly string[]): Promise<string>
  /** The containers of a service, by their ids. */
  containersOf(service: string): Promise<string[]>
}

interface ProjectOptions {
  readonly name: string
  readonly files: readonly string[]
  /** What the files read as `${NAME}`. */
  readonly env: Readonly<Record<string, string>>
}

/** Nothing is started yet. */
export async function openProject(engine: DockerEngine, { name, files, env }: ProjectOptions): Promise<Project> {
  const [command, ...first] = await composeCommand()
  const given = files.flatMap((file) => ['--file', file])
  const options = { timeout: LIMIT_MS, env: { ...process.env, ...env, DOCKER_HOST: engine.host } }
  const compose = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await run(command!, [...first, '--project-name', name, ...given, ...args], options)
    if (code !== 0) throw new Error(`compose ${args.join(' ')}: ${code}\n${stdout}\n${stderr}`)
    return stdout
  }
  return {
    compose,
    containersOf: async (service) => (await compose('ps', '--quiet', service)).split('\n').filter((id) => id !== ''),
  }
}

async function composeCommand(): Promise<string[]> {
  needPrograms({ docker: 'docker.io' })
  if (isSuccess(await run('docker', ['compose', 'version']))) return ['docker', 'compose']
  needPrograms({ 'docker-compose': 'docker-compose' })
  if (isSuccess(await run('docker-compose', ['version']))) return ['docker-compose']
  throw new Unavailable('neither `docker compose` nor `docker-compose` runs')
}

const isSuccess = ({ code }: Finished) => code === 0
