/** Inputs, buffer, outputs in one line, and in words what is wrong with any of them. */

import { age, amount, bytes, rate } from '../../core/readable.ts'
import type { OutputReport, StatusReport } from '../../core/status.ts'
import { Doorbell } from './doorbell.tsx'
import type { Status } from './use-status.ts'

function Buffer({ buffer }: { buffer: StatusReport['buffer'] }) {
  const share = Math.min(1, buffer.bytes / Math.max(1, buffer.limitBytes))
  const alarm = buffer.waiting > 0 || share > 0.8
  const title = `${bytes(buffer.bytes)} of ${bytes(buffer.limitBytes)} in ${buffer.chunks} chunks`
  return (
    <span class="part" data-testid="buffer" title={title}>
      <span class="part-name">buffer</span>
      <meter class={alarm ? 'bar bar-alarm' : 'bar'} min={0} max={1} value={share} aria-label={title} />
      <span class="dim">{bytes(buffer.bytes)}</span>
    </span>
  )
}

function OutputPart({ output, perSecond }: { output: OutputReport; perSecond: number }) {
  const oldest = output.oldestAgeS === undefined || output.lagEvents === 0 ? '' : `, oldest ${age(output.oldestAgeS)}`
  const { delivered, secondary, dead, dropped, parked, joined } = output
  const counts = Object.entries({ delivered, secondary, dead, dropped, parked, joined })
    .filter(([result, count]) => count > 0 || result === 'delivered')
    .map(([result, count]) => `${amount(count)} ${result}`)
    .join(', ')
  const title = `${output.type} ${output.match}: ${counts}${oldest}`
  return (
    <span class="part" data-testid="output" title={title}>
      <span class={`dot dot-${output.state}`} />
      <span class="part-name">{output.name}</span>
      <span>{rate(perSecond)}/s</span>
      {output.lagEvents > 0 && <span class="dim">lag {amount(output.lagEvents)}</span>}
      {output.parkedEvents > 0 && <span class="warn">{amount(output.parkedEvents)} parked</span>}
      {output.secondary > 0 && <span class="dim">{amount(output.secondary)} to its secondary</span>}
      {output.deadLetters > 0 && <span class="warn">{amount(output.deadLetters)} dead</span>}
      {output.unaccounted !== 0 && <span class="bad">{amount(output.unaccounted)} unaccounted</span>}
    </span>
  )
}

function complaintsOf({ buffer, outputs }: StatusReport): string[] {
  const nextTry = ({ nextTryMs }: OutputReport) =>
    nextTryMs === undefined ? '' : ` · next try in ${age(Math.max(0, (nextTryMs - Date.now()) / 1000))}`
  const ofOutputs = outputs
    .filter(({ state, lastError }) => state !== 'ok' || lastError !== undefined)
    .map((output) => `${output.name} ${output.state}: ${output.lastError ?? 'no reason known'}${nextTry(output)}`)
  return buffer.trouble === undefined ? ofOutputs : [`buffer: ${buffer.trouble}`, ...ofOutputs]
}

export function PipelineStrip({ status: { report, rates } }: { status: Status }) {
  if (report === undefined) return null
  return (
    <section class="pipeline" data-testid="pipeline" aria-label="Pipeline">
      <div class="parts">
        {report.inputs.map(({ name, type, addresses, connections }) => (
          <span
            class="part"
            key={name}
            data-testid="input"
            title={`${type} on ${addresses.join(', ')}: ${connections} connections`}
          >
            <span class="part-name">{name}</span>
            <span>{rate(rates.get(`input ${name}`) ?? 0)}/s</span>
          </span>
        ))}
        <span class="arrow">→</span>
        <Buffer buffer={report.buffer} />
        <span class="arrow">→</span>
        {report.outputs.map((output) => (
          <OutputPart key={output.name} output={output} perSecond={rates.get(`output ${output.name}`) ?? 0} />
        ))}
      </div>
      {complaintsOf(report).map((complaint) => (
        <p class="complaint" key={complaint} data-testid="complaint">
          {complaint}
        </p>
      ))}
      <Doorbell knocks={report.doorbell} />
    </section>
  )
}
