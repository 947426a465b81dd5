/** Who may send: the token, and the origin of a page in a browser. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Refusal } from './limits.ts'

export interface DoorRules {
  readonly token: string | undefined
  readonly cors_allow_origins: readonly string[]
}

const digest = (text: string) => createHash('sha256').update(text).digest()

/** @returns what lets a request pass, or throws Refusal 401 or 403, before anything of its body is read. */
export function createDoor({ token, cors_allow_origins }: DoorRules) {
  const wanted = token === undefined ? undefined : digest(token)
  return (request: FastifyRequest, reply: FastifyReply): void => {
    allowOrigin(request, reply, cors_allow_origins)
    // A preflight carries no token. [Fetch 4.8]
    if (wanted === undefined || request.method === 'OPTIONS') return
    const given = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1]
    // Digests have one length, so that the comparison tells nothing of the token's.
    if (given === undefined || !timingSafeEqual(digest(given), wanted)) throw new Refusal(401, 'LB-H008')
  }
}

/** Programs send no Origin. A page that is not named may not send events through the browser of its reader. */
function allowOrigin({ headers }: FastifyRequest, reply: FastifyReply, allowed: readonly string[]): void {
  const { origin } = headers
  if (origin === undefined) return
  if (!allowed.includes('*') && !allowed.includes(origin)) {
    throw new Refusal(403, 'LB-H009', { origin: origin.slice(0, 200) })
  }
  void reply.header('access-control-allow-origin', origin).header('vary', 'origin')
}
