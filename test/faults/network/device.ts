/** A network device of our own: packets out of it, packets into it. What becomes of them is the link's matter. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { killAtExit } from '../../e2e/kill-at-exit.ts'
import { needPrograms, Unavailable } from '../../services/launchers/availability.ts'

const SCRIPT = fileURLToPath(new URL('./tun.py', import.meta.url))
const TUN = '/dev/net/tun'

export interface Device {
  /** An address of this machine. */
  readonly near: string
  /** Whatever is sent there comes out of the device. */
  readonly far: string
  write(packet: Buffer): void
  /** The device is gone. */
  close(): Promise<void>
}

/** Throws Unavailable where there is no TUN device, or none for us. */
export async function openDevice(onPacket: (packet: Buffer) => void): Promise<Device> {
  if (!existsSync(TUN)) throw new Unavailable(`${TUN} is not there`)
  needPrograms({ python3: 'python3-minimal' })
  // Of the networks for measurements between devices. [RFC 2544, Appendix C.2.2]
  const [second, third, pair] = [randomInt(18, 20), randomInt(256), randomInt(127) * 2]
  const [near, far] = [`198.${second}.${third}.${pair + 1}`, `198.${second}.${third}.${pair + 2}`]
  const name = `lb${process.pid}x${randomInt(1_000)}`
  const child = spawn('python3', [SCRIPT, name, near, far], { stdio: 'pipe' })
  killAtExit(child)
  await untilThere(child, onPacket)
  return {
    near,
    far,
    write(packet) {
      const length = Buffer.alloc(2)
      length.writeUInt16BE(packet.length)
      child.stdin.write(length)
      child.stdin.write(packet)
    },
    close: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve()
        child.once('exit', () => resolve())
        child.stdin.end()
      }),
  }
}

function untilThere(child: ChildProcess, onPacket: (packet: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let words = ''
    let held = Buffer.alloc(0)
    child.stderr!.on('data', (bytes) => (words += bytes))
    child.stdin!.on('error', () => {})
    child.once('error', reject)
    child.once('close', () => reject(new Unavailable(`no TUN device: ${words.trim().split('\n').at(-1)}`)))
    child.stdout!.on('data', (bytes: Buffer) => {
      held = Buffer.concat([held, bytes])
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
        const end = 2 + held.readUInt16BE(0)
        if (end === 2) resolve()
        else onPacket(held.subarray(2, end))
        held = held.subarray(end)
      }
    })
  })
}
