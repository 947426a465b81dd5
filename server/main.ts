/** The program: the only place that ends the process. What it does is in `run.ts` and in the verbs. */
import { endOf } from './cli/end.ts'
import { createProgram } from './cli/program.ts'

const program = createProgram({
  // Imported when it runs: the verbs start faster without the server.
  run: async (options) => (await import('./run.ts')).run(options),
})

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = endOf(error, process.stderr)
}
