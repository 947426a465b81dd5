/**
 * The official client's connection, which does not keep the answers that say "no errors": with a line for each item
 * they are a twentieth of what is sent, and as buffers and text they would be most of the thread's garbage.
 */
import type { ConnectionRequestParams, ConnectionRequestResponse, UndiciConnection } from '@elastic/elasticsearch'

/** How nearly every answer begins. What follows is not looked at, nor made into objects. */
export const NO_ERRORS = Buffer.from('{"errors":false')
const BRACE = '}'.charCodeAt(0)
/** Bytes of an answer that are kept, at most. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024

type Options = Parameters<UndiciConnection['request']>[1]

/** What the client exports, which is loaded when the output is opened. */
export interface ConnectionParts {
  readonly UndiciConnection: typeof UndiciConnection
  readonly errors: { readonly ConnectionError: new (message: string) => Error }
}

/** The class to give to the client. */
export function bulkConnection({ UndiciConnection, errors }: ConnectionParts): typeof UndiciConnection {
  return class extends UndiciConnection {
    override async request(params: ConnectionRequestParams, options: Options): Promise<ConnectionRequestResponse>
    override async request(params: ConnectionRequestParams, options: never): Promise<never>
    override async request(params: ConnectionRequestParams, options: Options): Promise<ConnectionRequestResponse> {
      const { body, ...answer } = await super.request(params, { ...options, asStream: true } as never)
      try {
        return { ...answer, body: await readAnswer(body as unknown as AsyncIterable<Buffer>) }
      } catch (error) {
        throw new errors.ConnectionError((error as Error).message)
      }
    }
  }
}

/** The text of an answer; of one without errors, no more than that. */
export async function readAnswer(body: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = []
  let length = 0
  let last: Buffer | undefined
  for await (const piece of body) {
    last = piece
    length += piece.length
    if (length > ANSWER_BYTES_MAX) throw new Error(`the answer has more than ${ANSWER_BYTES_MAX} bytes`)
    if (pieces.length === 0 || !saysNoErrors(pieces[0]!)) pieces.push(piece)
  }
  const isWhole = last !== undefined && last.at(-1) === BRACE
  if (isWhole && saysNoErrors(pieces[0]!)) return `${NO_ERRORS}}`
  return Buffer.concat(pieces).toString()
}

function saysNoErrors(piece: Buffer): boolean {
  return piece.subarray(0, NO_ERRORS.length).equals(NO_ERRORS)
}
