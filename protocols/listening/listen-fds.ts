/**
 * What the environment says of sockets that were handed over at the start, as systemd does it for a `.socket` unit: the
 * descriptors from 3 on are open. [sd_listen_fds(3)]
 *
 *   LISTEN_PID=4711  LISTEN_FDS=2  LISTEN_FDNAMES=logboom.socket:gelf
 */
import { LogboomError } from '../../server/core/errors.ts'

/** One descriptor, and what its unit calls it. */
export interface HandedOver {
  readonly fd: number
  /** `FileDescriptorName=`, the name of the unit where that is not set, '' where nothing is said. */
  readonly name: string
}

type Environment = Readonly<Record<string, string | undefined>>

/** The first descriptor that is handed over: those before are the standard streams. [sd_listen_fds(3)] */
const FIRST_FD = 3
/** More sockets than anyone has inputs. */
const SOCKETS_MAX = 1_024
export const LISTEN_VARIABLES = ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES'] as const

/**
 * None where another process was meant (LISTEN_PID), whose child this is.
 * Throws LogboomError LB-S013 when LISTEN_FDS is no count.
 */
export function readListenFds(env: Environment, pid: number): readonly HandedOver[] {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES = '' } = env
  if (LISTEN_FDS === undefined || LISTEN_PID !== `${pid}`) return []
  const count = /^\d{1,4}$/.test(LISTEN_FDS) ? Number(LISTEN_FDS) : Number.NaN
  if (!(count <= SOCKETS_MAX)) throw new LogboomError('LB-S013', { found: LISTEN_FDS, most: SOCKETS_MAX })
  const names = LISTEN_FDNAMES.split(':')
  return Array.from({ length: count }, (_, index) => ({ fd: FIRST_FD + index, name: names[index] ?? '' }))
}
