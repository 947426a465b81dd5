/** One file that is followed: what it is known by, how far it was read, and what is known of its end. */
import type { FileHandle } from 'node:fs/promises'
import type { Place } from './place.ts'

/** Device and inode: the same under every name of the file, until it is deleted and its inode used again. */
export type FileKey = string

export interface TailedFile {
  readonly key: FileKey
  /** Its mark's. */
  readonly source: string
  /** As the glob found it. */
  path: string
  readonly tag: Uint8Array
  /** The value of `path_key`. */
  readonly pathBytes: Buffer
  readonly handle: FileHandle
  /** How far its events are durable. */
  place: Place
  /** Copies that hold what was not read before the file was truncated, the oldest first; they are read before it. */
  copies: FileHandle[]
  /** When the last search that found it under its path began, wall clock: what was created since is newer. */
  liveMs: number
  /** Since when it is known under no name of the glob, monotonic ms: it was rotated, or deleted. */
  rotatedMs: number | undefined
  /** Up to where bytes were seen, and when that changed last, monotonic ms. */
  seen: number
  grownMs: number
  /** It was read to its end once. */
  caughtUp: boolean
  /** The file that had its path before: that one is read to its end first. */
  predecessor: TailedFile | undefined
  /** Not before this monotonic time; set when reading or storing failed. */
  retryMs: number
  /** A reader has it, or it waits for one. */
  busy: boolean
  /** It has changed since its reader last looked. */
  changed: boolean
}

export function fileKey({ dev, ino }: { dev: bigint; ino: bigint }): FileKey {
  return `${dev}:${ino}`
}
