/** File systems that fail as asked: ext4 on a loop device whose power can be cut, and a disk in memory that is full. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Unavailable } from '../services/launchers/availability.ts'

type Context = { after(end: () => unknown): void }

/**
 * EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH: from this moment nothing reaches the disk, not even the journal,
 * and every call fails. What was not synced, content and names, is gone after the next mount.
 */
const SHUTDOWN = `
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))`

const UNMOUNT_TRIES = 50
const UNMOUNT_PAUSE_MS = 100

export interface Disk {
  readonly folder: string
}

export interface LoopDisk extends Disk {
  powerCut(): void
  /** Makes the file system read-only as the kernel does it after an error of the device. */
  failReadOnly(): void
  /** Whoever used it must have ended. Replays the journal. */
  remount(): Promise<void>
}

export interface MemoryDisk extends Disk {
  resize(mebibytes: number): void
}

/** Runs a command of the system; its own words stand in the error. */
function run(command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** An ext4 of its own. `on`: the folder of its image; else among the temporary files. */
export async function mountLoopDisk(t: Context, options: { mebibytes: number; on?: string }): Promise<LoopDisk> {
  const base = mkdtempSync(path.join(options.on ?? tmpdir(), 'logboom-disk-'))
  const image = path.join(base, 'image')
  const folder = path.join(mkdtempSync(path.join(tmpdir(), 'logboom-mount-')), 'disk')
  mkdirSync(folder)
  writeFileSync(image, '')
  truncateSync(image, options.mebibytes * 2 ** 20)
  // No lazy work: the kernel would write to a too small device before the program does.
  run('mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', image)
  const mount = () => run('mount', '-o', 'loop,errors=remount-ro', image, folder)
  try {
    mount()
  } catch (error) {
    throw new Unavailable(`no loop device: ${(error as { stderr?: string }).stderr ?? error}`)
  }
  t.after(() => {
    abandon(folder)
    rmSync(base, { recursive: true, force: true })
    rmSync(path.dirname(folder), { recursive: true, force: true })
  })
  return {
    folder,
    powerCut: () => run('python3', '-c', SHUTDOWN, folder),
    failReadOnly: () => {
      const device = path.basename(run('findmnt', '-n', '-o', 'SOURCE', folder).trim())
      writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, 'asked to')
    },
    async remount() {
      await unmount(folder)
      mount()
    },
  }
}

/** A disk in memory of so many MiB. */
export function mountMemoryDisk(t: Context, mebibytes: number): MemoryDisk {
  const folder = mkdtempSync(path.join(tmpdir(), 'logboom-memory-'))
  try {
    run('mount', '-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'logboom-test', folder)
  } catch (error) {
    throw new Unavailable(`no tmpfs: ${(error as { stderr?: string }).stderr ?? error}`)
  }
  t.after(() => {
    abandon(folder)
    rmSync(folder, { recursive: true, force: true })
  })
  return { folder, resize: (size) => run('mount', '-o', `remount,size=${size}m`, folder) }
}

/** At the end of a test, whose program may still run: gone when that has ended. */
function abandon(folder: string): void {
  try {
    run('umount', '-l', folder)
  } catch {
    // It was not mounted any more.
  }
}

/** A process that has just been killed may hold it for a moment. */
async function unmount(folder: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      run('umount', folder)
      return
    } catch (error) {
      if (tries === UNMOUNT_TRIES) throw error
      await sleep(UNMOUNT_PAUSE_MS)
    }
  }
}
