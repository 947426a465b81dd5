/** How long the main thread keeps its event loop waiting: what a slow parser or a flood costs everybody else. */
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** Each sample is the time between two turns of a timer of this length, so that this much of it is no delay. */
const RESOLUTION_MS = 20
/** The longest delay is kept for one to two of these, so that scrapes as often as that miss none. */
const WINDOW_MS = 30_000
const NS_PER_SECOND = 1e9

export interface EventLoopWatch {
  /** The longest delay within this window and the one before. */
  longestSeconds(): number
  close(): void
}

export function watchEventLoop(): EventLoopWatch {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  let before = 0
  const longest = () => Math.max(0, delays.max / NS_PER_SECOND - RESOLUTION_MS / 1_000)
  const timer = setInterval(() => {
    before = longest()
    delays.reset()
  }, WINDOW_MS).unref()
  return {
    longestSeconds: () => Math.max(before, longest()),
    close() {
      clearInterval(timer)
      delays.disable()
    },
  }
}
