/** Debian's rsyslogd, which forwards each message of a local socket in many ways at once. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { findProgram, needPrograms, runFolder } from './availability.ts'
import { ServerProcess } from './server-process.ts'

/** How one message is forwarded: rsyslog's template, its protocol and its framing. */
export interface Forwarding {
  readonly template: string
  readonly protocol: 'udp' | 'tcp'
  readonly framing?: 'traditional' | 'octet-counted'
}

export interface Rsyslog {
  /** `logger -u` writes to it. */
  readonly socket: string
  close(): Promise<void>
}

/** Starts it before a port that takes what it forwards. @throws Unavailable */
export async function startRsyslog(port: number, forwardings: readonly Forwarding[]): Promise<Rsyslog> {
  needPrograms({ rsyslogd: 'rsyslog' })
  const folder = runFolder('rsyslog')
  const socket = path.join(folder, 'log.sock')
  const config = path.join(folder, 'rsyslog.conf')
  writeFileSync(config, configOf(socket, folder, port, forwardings))
  const server = new ServerProcess({
    command: findProgram('rsyslogd')!,
    args: ['-n', '-f', config, '-i', path.join(folder, 'pid')],
    logFile: path.join(folder, 'rsyslogd.log'),
  })
  return { socket, close: () => server.stop() }
}

function configOf(socket: string, folder: string, port: number, forwardings: readonly Forwarding[]): string {
  const actions = forwardings.map(({ template, protocol, framing }) => {
    const tcp = framing === undefined ? '' : ` TCP_Framing="${framing}"`
    return `action(type="omfwd" target="127.0.0.1" port="${port}" protocol="${protocol}"${tcp} template="${template}")`
  })
  return [
    `global(workDirectory="${folder}" localHostname="testbox")`,
    'module(load="imuxsock" SysSock.Use="off")',
    `input(type="imuxsock" Socket="${socket}" CreatePath="on")`,
    ...actions,
    '',
  ].join('\n')
}
