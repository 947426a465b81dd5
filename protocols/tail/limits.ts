/** Every bound of the tail input that is not configured. */
import { SCAN_LIMITS } from '../../server/core/msgpack.ts'

const KIB = 1024

export const LIMITS = {
  /** A file that is missing from its folder for so long is deleted, ms. */
  goneMs: 10_000,
  scan: SCAN_LIMITS,
  /** Bytes that are read of a file at a time; more where one line or one joined event is longer. */
  blockBytes: 256 * KIB,
  /** Files that are read side by side; each has a block, and its events as msgpack, in memory. */
  readers: 4,
  /** Blocks of one file before another that waits has its turn. */
  blocksInTurn: 16,
  /** Bytes before the place in a file by which it is known again. */
  printBytes: 512,
  /** How often every file is looked at, in ms; mostly the system tells of a change before. */
  pollMs: 1_000,
  /** Pause between two searches for new files that the system's events ask for, in ms. */
  searchPauseMs: 100,
  /** Folders that the system watches for us. */
  watches: 1_000,
  /** Files of a folder that are looked at for one that was rotated. */
  siblings: 10_000,
  /** Pause before a file that could not be read, or its events stored, is tried again, in ms. */
  retryMs: 1_000,
  /** The same complaint is said once in this time, in ms. */
  complaintMs: 60_000,
} as const
