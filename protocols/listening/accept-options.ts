/** How connections are accepted, whether the listening socket is our own or was handed over. */

/**
 * Who says nothing for so long, in ms, is asked by the kernel whether it is still there: ten times, a second between.
 * The system's own two hours would keep the file of each peer that has vanished.
 */
const KEEPALIVE_MS = 30_000

export const ACCEPT_OPTIONS = {
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: KEEPALIVE_MS,
}
