/** Who may ask: token, Host and Origin of a request, and the headers that bind a browser. No route is defined here. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { LogboomError } from '../core/errors.ts'

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const

export interface GuardConfig {
  /** The host of `admin.listen`. */
  readonly host: string
  readonly token: string | undefined
}

const digest = (text: string) => createHash('sha256').update(text).digest()

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

/** The name in a Host header, without its port, in lower case. */
function hostName(header: string): string {
  return header.toLowerCase().replace(/:\d*$/, '')
}

/**
 * On loopback only names of this machine are answered: a page of another site may resolve its own name to 127.0.0.1
 * (DNS rebinding), but cannot change the Host header.
 */
function checkHost(header: string | undefined, listenHost: string): void {
  if (header === undefined || !isLoopback(listenHost)) return
  const name = hostName(header)
  if (name === listenHost || name === '[::1]' || isLoopback(name)) return
  throw new LogboomError('LB-A003', { reason: `the Host \`${name.slice(0, 100)}\` is not this machine` })
}

/** Pages of other origins get nothing; following a link to the console is allowed. */
function checkOrigin(request: FastifyRequest): void {
  const { origin, host } = request.headers
  const site = request.headers['sec-fetch-site']
  const sameOrigin = origin === undefined || origin.replace(/^https?:\/\//, '') === host
  const linked = request.headers['sec-fetch-mode'] === 'navigate' && !request.url.startsWith('/api/')
  const sameSite = site === undefined || site === 'same-origin' || site === 'none' || linked
  if (!sameOrigin || !sameSite) throw new LogboomError('LB-A003', { reason: 'it comes from a page of another origin' })
}

function createTokenCheck(token: string) {
  const wanted = digest(token)
  return (request: FastifyRequest): void => {
    const given = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1]
    // Digests have one length, so that the comparison tells nothing of the token's.
    if (given !== undefined && timingSafeEqual(digest(given), wanted)) return
    throw new LogboomError('LB-S007', { url: request.url.split('?', 1)[0]! })
  }
}

/** A token, where there is one, guards every route but those whose `config.open` says that they show no data. */
export function guard(app: FastifyInstance, { host, token }: GuardConfig): void {
  const checkToken = token === undefined ? undefined : createTokenCheck(token)
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers(HEADERS)
    checkHost(request.headers.host, host)
    checkOrigin(request)
    if (request.routeOptions.config.open !== true) checkToken?.(request)
  })
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answered without the token. */
    open?: true
  }
}
