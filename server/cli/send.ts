/** `logboom send TAG`: each line of stdin is an event, acknowledged before the verb ends. */
import type { Readable } from 'node:stream'
import type { Command } from 'commander'
import { LogboomError } from '../core/errors.ts'
import { parseJson } from '../core/event-text.ts'
import { connectForward, type ForwardClient } from './forward-client.ts'
import { processTerminal, type Terminal } from './terminal.ts'
import { parseCount } from './time-option.ts'

const LINE_CHARACTERS_MAX = 1_048_576
const TAG_BYTES_MAX = 1_024

interface SendOptions {
  readonly host: string
  readonly port: string
  readonly timeout: string
  readonly json?: true
  readonly ack: boolean
}

/**
 * The whole lines of each piece that stdin gives, without their ends: what is typed is sent at once, what is piped
 * in large pieces. Throws LB-S006 for a line that is too long.
 */
async function* lineGroups(input: Readable): AsyncGenerator<string[]> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const piece of input) {
    const lines = (rest + decoder.decode(piece as Uint8Array, { stream: true })).split(/\r?\n/)
    rest = lines.pop()!
    if (rest.length > LINE_CHARACTERS_MAX) throw new LogboomError('LB-S006', { reason: 'a line is longer than 1 MiB' })
    if (lines.length > 0) yield lines
  }
  rest += decoder.decode()
  if (rest !== '') yield [rest]
}

function parseRecord(line: string, number: number): object {
  try {
    const value = parseJson(line)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {
    // Said below, with the number of the line.
  }
  throw new LogboomError('LB-S006', { reason: `line ${number} is not a JSON object` })
}

interface Count {
  sent: number
  acked: number
}

async function sendAll(
  client: ForwardClient,
  tag: string,
  { input, json, count }: { input: Readable; json: boolean; count: Count },
) {
  let number = 0
  for await (const lines of lineGroups(input)) {
    const toRecord = (message: string) => {
      number += 1
      return json ? parseRecord(message, number) : { message }
    }
    const records = lines.filter((line) => !json || line.trim() !== '').map(toRecord)
    if (records.length === 0) continue
    count.sent += records.length
    await client.send(tag, records, Date.now())
    count.acked += records.length
  }
}

const events = (count: number) => (count === 1 ? '1 event' : `${count} events`)

async function send(tag: string, options: SendOptions, { input, talk }: Terminal): Promise<void> {
  if (tag === '' || Buffer.byteLength(tag) > TAG_BYTES_MAX) {
    throw new LogboomError('LB-S006', { reason: `TAG must have 1 to ${TAG_BYTES_MAX} bytes` })
  }
  const { host, ack } = options
  const port = parseCount('--port', options.port, { min: 1, max: 65_535 })
  const timeoutMs = 1_000 * parseCount('--timeout', options.timeout, { min: 1, max: 3_600 })
  const client = await connectForward({ host, port, timeoutMs, ack })
  const count = { sent: 0, acked: 0 }
  try {
    await sendAll(client, tag, { input, json: options.json === true, count })
  } catch (error) {
    if (error instanceof LogboomError) {
      talk.write(`${events(count.acked)} acknowledged before that\n`)
      throw error
    }
    const details = { ...count, address: `${host}:${port}`, reason: (error as Error).message }
    throw new LogboomError('LB-S009', details, { cause: error })
  } finally {
    await client.close()
  }
  talk.write(`${events(count.sent)} sent to ${host}:${port}${ack ? ', all acknowledged' : ', no ack asked for'}\n`)
}

export function register(program: Command, terminal: Terminal = processTerminal): void {
  program
    .command('send')
    .description('send the lines of stdin as events to a forward input, and wait until they are acknowledged')
    .argument('<tag>', 'the tag of the events')
    .option('--host <host>', 'where the forward input listens', '127.0.0.1')
    .option('--port <port>', 'its port', '24224')
    .option('--json', 'a line is the record itself, a JSON object (else it is {"message": line})')
    .option('--no-ack', 'do not ask for acks')
    .option('--timeout <seconds>', 'the longest wait for an ack', '30')
    .action((tag: string, options: SendOptions) => send(tag, options, terminal))
}
