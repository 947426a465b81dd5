/** The empty page: how to send the first event. It gives way by itself when one comes. */
import type { StatusReport } from '../../core/status.ts'
import { CopyButton } from './copy-button.tsx'

/** The TCP address of the forward input as this browser's machine would reach it. */
export function forwardAddress(report: StatusReport | undefined, pageHost: string): string | undefined {
  return addressOf(report, 'forward', pageHost)
}

/** The same of the first input of a type. */
function addressOf(report: StatusReport | undefined, wanted: string, pageHost: string): string | undefined {
  const address = report?.inputs
    .filter(({ type }) => type === wanted)
    .flatMap(({ addresses }) => addresses)
    .find((candidate) => candidate.endsWith(' tcp'))
  if (address === undefined) return undefined
  return address.replace(/ tcp$/, '').replace(/^(0\.0\.0\.0|\[::\]|::)(?=:\d+$)/, pageHost)
}

function Command({ title, text }: { title: string; text: string }) {
  return (
    <div class="command">
      <h3>{title}</h3>
      <pre>
        <code data-testid="command">{text}</code>
      </pre>
      <CopyButton label="Copy" text={() => text.replaceAll(' \\\n  ', ' ')} />
    </div>
  )
}

export function FirstEvent({ report }: { report: StatusReport | undefined }) {
  const address = forwardAddress(report, location.hostname)
  const gelf = addressOf(report, 'gelf', location.hostname)
  if (report === undefined) return null
  if (address === undefined) {
    return (
      <section class="first" data-testid="first-event">
        <h2>No events yet</h2>
        <p>No forward input is configured. What the other inputs take shows here as it comes.</p>
      </section>
    )
  }
  const colon = address.lastIndexOf(':')
  const [host, port] = [address.slice(0, colon).replace(/^\[|\]$/g, ''), address.slice(colon + 1)]
  const place = `${host === '127.0.0.1' ? '' : ` --host ${host}`}${port === '24224' ? '' : ` --port ${port}`}`
  const docker = [
    'docker run --rm --log-driver=fluentd',
    `--log-opt fluentd-address=${address}`,
    '--log-opt fluentd-request-ack=true alpine echo hello',
  ]
  return (
    <section class="first" data-testid="first-event">
      <h2>
        <span class="ripple" />
        Waiting for the first event
      </h2>
      <p>Send one, and it shows here by itself.</p>
      <Command title="From a container" text={docker.join(' \\\n  ')} />
      <Command title="From this shell" text={`echo hello | logboom send demo.shell${place}`} />
      <p class="dim">fluentd and Fluent Bit: a forward output to {address}.</p>
      {gelf !== undefined && <p class="dim">GELF: over UDP or TCP to {gelf}.</p>}
    </section>
  )
}
