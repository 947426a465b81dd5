/** What the list shows: live or held, and which time. */

import { shortTime } from '../../core/readable.ts'
import type { Question } from './api.ts'
import { WINDOWS } from './windows.ts'

interface ToolbarProps {
  readonly question: Question
  readonly windowMs: number
  readonly paused: boolean
  readonly behind: boolean
  onPause(paused: boolean): void
  onWindow(windowMs: number): void
  /** Back from a range to the live end. */
  onLive(): void
}

function Live({ paused, behind, onPause }: Pick<ToolbarProps, 'paused' | 'behind' | 'onPause'>) {
  return (
    <button
      type="button"
      class={paused ? 'live live-paused' : 'live'}
      data-testid="pause"
      aria-pressed={paused}
      title="Space. Nothing is lost while it is paused."
      onClick={() => onPause(!paused)}
    >
      <span class="dot" />
      {paused ? 'Paused' : behind ? 'Catching up' : 'Live'}
    </button>
  )
}

export function Toolbar({ question, windowMs, paused, behind, onPause, onWindow, onLive }: ToolbarProps) {
  const { from, to } = question
  if (from !== undefined && to !== undefined) {
    return (
      <button type="button" class="range" data-testid="range" title="Esc: back to live" onClick={onLive}>
        {shortTime(from, Date.now())} – {shortTime(to, Date.now())} ✕
      </button>
    )
  }
  return (
    <>
      <select
        class="window"
        aria-label="Time shown above the list"
        value={windowMs}
        onChange={(event) => onWindow(Number(event.currentTarget.value))}
      >
        {WINDOWS.map(({ ms, name }) => (
          <option key={ms} value={ms}>
            last {name}
          </option>
        ))}
      </select>
      <Live paused={paused} behind={behind} onPause={onPause} />
    </>
  )
}
