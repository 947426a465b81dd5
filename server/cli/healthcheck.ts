/** `logboom healthcheck`: whether a server lives, as an exit code, for images without a shell. */
import type { Command } from 'commander'
import { type ServerOptions, withServerOptions } from './api-client.ts'
import { Said } from './end.ts'
import { print, processTerminal, type Terminal } from './terminal.ts'

const ANSWER_MS_MAX = 5_000
/** Docker knows 0 and 1 only. */
const UNHEALTHY = 1

type Options = ServerOptions & { readonly ready?: true }

async function healthcheck({ url, ready }: Options, { output, talk }: Terminal): Promise<void> {
  const address = `${url.replace(/\/+$/, '')}/${ready === true ? 'readyz' : 'livez'}`
  const fault = await ask(address)
  if (fault === undefined) {
    await print(output, 'ok\n')
    return
  }
  await print(talk, `${address}: ${fault}\n`)
  throw new Said(UNHEALTHY)
}

/** What is wrong, or undefined. */
async function ask(address: string): Promise<string | undefined> {
  try {
    const response = await fetch(address, { redirect: 'error', signal: AbortSignal.timeout(ANSWER_MS_MAX) })
    await response.body?.cancel()
    return response.ok ? undefined : `it answers HTTP ${response.status}`
  } catch (error) {
    const { message, cause } = error as Error
    return cause instanceof Error ? cause.message : message
  }
}

export function register(program: Command, terminal: Terminal = processTerminal): void {
  const command = program
    .command('healthcheck')
    .description('exit with 0 when the server lives, else with 1')
    .option('--ready', 'also ask whether it is ready to take events')
  withServerOptions(command).action((options: Options) => healthcheck(options, terminal))
}
