/** Asks for the status every two seconds and makes rates of two answers. */
import { useEffect, useState } from 'preact/hooks'
import type { StatusReport } from '../../core/status.ts'
import { ApiError, getStatus } from './api.ts'

const STATUS_MS = 2_000

export interface Status {
  readonly report: StatusReport | undefined
  /** Events a second since the last look, by name of the input or output. */
  readonly rates: ReadonlyMap<string, number>
  /** Why there is no fresh report. */
  readonly failure: 'none' | 'unreachable' | 'unauthorized'
}

interface Look {
  readonly atMs: number
  readonly counts: ReadonlyMap<string, number>
}

function lookAt(report: StatusReport): Look {
  const inputs = report.inputs.map(({ name, events }) => [`input ${name}`, events] as const)
  const outputs = report.outputs.map(({ name, delivered }) => [`output ${name}`, delivered] as const)
  return { atMs: performance.now(), counts: new Map([...inputs, ...outputs]) }
}

function ratesBetween(last: Look | undefined, look: Look): Map<string, number> {
  if (last === undefined) return new Map()
  const seconds = Math.max(0.1, (look.atMs - last.atMs) / 1000)
  return new Map(
    [...look.counts].map(([name, count]) => [name, Math.max(0, count - (last.counts.get(name) ?? count)) / seconds]),
  )
}

/** `session` changes when there is a new token to try. */
export function useStatus(session: number): Status {
  const [status, setStatus] = useState<Status>({ report: undefined, rates: new Map(), failure: 'none' })
  useEffect(() => {
    const abort = new AbortController()
    let timer: ReturnType<typeof setTimeout>
    let last: Look | undefined
    const poll = async () => {
      try {
        const report = await getStatus(abort.signal)
        const look = lookAt(report)
        setStatus({ report, rates: ratesBetween(last, look), failure: 'none' })
        last = look
      } catch (error) {
        if (abort.signal.aborted) return
        const unauthorized = error instanceof ApiError && error.code === 'LB-S007'
        setStatus((before) => ({ ...before, failure: unauthorized ? 'unauthorized' : 'unreachable' }))
        if (unauthorized) return
      }
      timer = setTimeout(poll, STATUS_MS)
    }
    void poll()
    return () => {
      abort.abort()
      clearTimeout(timer)
    }
  }, [session])
  return status
}
