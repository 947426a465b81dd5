/** The command line: which verbs there are, and the options of all. What a verb does is in its own file. */
import { Command } from 'commander'
import { nearest } from '../config/nearest.ts'
import { LogboomError } from '../core/errors.ts'
import { VERSION } from '../version.ts'
import { register as registerBuffer } from './buffer.ts'
import { register as registerConfig } from './config.ts'
import { register as registerDeadLetters } from './dlq.ts'
import { register as registerExplain } from './explain.ts'
import { register as registerHealthcheck } from './healthcheck.ts'
import { register as registerQuery } from './query.ts'
import { register as registerReplay } from './replay.ts'
import { register as registerSchema } from './schema.ts'
import { register as registerSend } from './send.ts'
import { register as registerStatus } from './status.ts'
import { register as registerTail } from './tail.ts'
import { processTerminal, type Terminal } from './terminal.ts'
import { register as registerTest } from './test.ts'
import { register as registerValidate } from './validate.ts'

export interface GlobalOptions {
  readonly config?: string
}

export interface Actions {
  /** Runs the server until a signal stops it. */
  readonly run: (options: GlobalOptions) => Promise<void>
}

/** In the order of the help. */
const VERBS = [
  registerValidate,
  registerTest,
  registerConfig,
  registerSchema,
  registerSend,
  registerTail,
  registerQuery,
  registerStatus,
  registerDeadLetters,
  registerReplay,
  registerBuffer,
  registerHealthcheck,
  registerExplain,
]

/** Its `parseAsync` throws CommanderError, LogboomError, ConfigErrors and Said; `endOf` makes exit codes of them. */
export function createProgram({ run }: Actions, terminal: Terminal = processTerminal): Command {
  const program = new Command('logboom')
    .description('A central log aggregator and forwarder: an acknowledged event is never lost.')
    .version(VERSION)
    .option('-c, --config <file>', 'configuration; else LOGBOOM_CONFIG, ./logboom.yaml, /etc/logboom/logboom.yaml')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.output.write(text),
      writeErr: (text) => terminal.talk.write(text),
    })
  program
    .command('run', { isDefault: true })
    .description('run the server (the default)')
    // What is no verb comes here, so that it can be said which was meant.
    .allowExcessArguments()
    .action(async (_: object, command: Command) => {
      const [verb] = command.args
      if (verb !== undefined) throw unknownVerb(verb, program)
      await run(command.optsWithGlobals<GlobalOptions>())
    })
  for (const register of VERBS) register(program, terminal)
  return program
}

function unknownVerb(verb: string, program: Command): LogboomError {
  const meant = nearest(
    verb,
    program.commands.map((command) => command.name()),
  )
  const hint = meant === undefined ? '' : `; did you mean \`${meant}\`?`
  return new LogboomError('LB-S006', { reason: `there is no verb \`${verb}\`${hint}` })
}
