/**
 * What the machine itself can do, measured in the same run: the figures of the program mean something only beside
 * these.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { crc32 } from 'node:zlib'

export interface MachineLimits {
  /** Events of 270 bytes copied by a loop over `copy`, per CPU-second. */
  readonly copiedEventsPerCpuSecond: number
  readonly crc32GigabytesPerSecond: number
  /** Write of 64 KiB and fdatasync, per second of wall clock. */
  readonly syncsPerSecond: number
}

const EVENT_BYTES = 270
const COPY_ROUNDS = 20
const COPY_EVENTS = 100_000
const CRC_ROUNDS = 200
const CRC_BYTES = 1024 * 1024
const SYNCS = 300
const SYNC_BYTES = 64 * 1024

export function measureMachine(): MachineLimits {
  return {
    copiedEventsPerCpuSecond: measureCopy(),
    crc32GigabytesPerSecond: measureCrc(),
    syncsPerSecond: measureSync(),
  }
}

function measureCopy(): number {
  const from = Buffer.alloc(EVENT_BYTES * COPY_EVENTS, 'logboom ')
  const to = Buffer.alloc(from.length)
  const before = process.cpuUsage()
  for (let round = 0; round < COPY_ROUNDS; round += 1) {
    for (let at = 0; at < from.length; at += EVENT_BYTES) from.copy(to, at, at, at + EVENT_BYTES)
  }
  return (COPY_ROUNDS * COPY_EVENTS) / cpuSecondsSince(before)
}

function measureCrc(): number {
  const bytes = Buffer.alloc(CRC_BYTES, 'logboom ')
  const before = process.cpuUsage()
  for (let round = 0; round < CRC_ROUNDS; round += 1) crc32(bytes)
  return (CRC_ROUNDS * CRC_BYTES) / cpuSecondsSince(before) / 1e9
}

function measureSync(): number {
  const folder = mkdtempSync(path.join(tmpdir(), 'logboom-bench-'))
  const file = openSync(path.join(folder, 'sync'), 'w')
  const bytes = Buffer.alloc(SYNC_BYTES, 'logboom ')
  const before = performance.now()
  for (let round = 0; round < SYNCS; round += 1) {
    writeSync(file, bytes)
    fdatasyncSync(file)
  }
  const seconds = (performance.now() - before) / 1000
  closeSync(file)
  rmSync(folder, { recursive: true })
  return SYNCS / seconds
}

function cpuSecondsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}
