/**
 * Whether a new socket leaves files enough for the rest: a process that has opened all it may cannot begin another
 * chunk, and then stores nothing for anybody.
 */
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'

/** Files that sockets of inputs do not take: for chunks, cursors, the local store and the outputs' connections. */
const KEPT_FILES = 64
/** Where few may be open, this share of them. */
const KEPT_SHARE = 4

/** Reads the soft limit out of `/proc/<pid>/limits`; undefined where there is none. */
export function readOpenFilesLimit(limits: string): number | undefined {
  const soft = /^Max open files +(\d+) /m.exec(limits)?.[1]
  return soft === undefined ? undefined : Number(soft)
}

/**
 * Descriptors are given from 0 upwards, the lowest that is free: the number of the newest tells how near the limit is.
 */
export function isDescriptorSpare(descriptor: number, limit: number): boolean {
  return descriptor < limit - Math.min(KEPT_FILES, Math.floor(limit / KEPT_SHARE))
}

/** Undefined: not Linux, or no limit; then nobody is turned away for it. */
export const openFilesLimit = readOwnLimit()

function readOwnLimit(): number | undefined {
  try {
    return readOpenFilesLimit(readFileSync('/proc/self/limits', 'utf8'))
  } catch {
    return undefined
  }
}

/** Whether the socket may stay. Node shows its descriptor in no other place. */
export function leavesFiles(socket: Socket): boolean {
  const descriptor = (socket as unknown as { readonly _handle?: { readonly fd?: number } })._handle?.fd
  return descriptor === undefined || openFilesLimit === undefined || isDescriptorSpare(descriptor, openFilesLimit)
}
