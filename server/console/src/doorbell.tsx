/** Who knocked in vain of late and why. The texts hold words of strangers: they are shown as text, never as markup. */
import { lineText } from '../../core/event-text.ts'
import { shortTime } from '../../core/readable.ts'
import type { KnockReport } from '../../core/status.ts'

function Knock({ knock: { at, input, text, count } }: { knock: KnockReport }) {
  return (
    <li class="knock" data-testid="knock">
      <span class="dim">{shortTime(Date.parse(at), Date.now())}</span>
      <span class="part-name">{input}</span>
      <span class="knock-text">{lineText(text)}</span>
      {count > 1 && <span class="dim">{count} times</span>}
    </li>
  )
}

export function Doorbell({ knocks }: { knocks: readonly KnockReport[] }) {
  if (knocks.length === 0) return null
  const title = knocks.length === 1 ? 'One was turned away' : `${knocks.length} were turned away`
  return (
    <details class="doorbell" data-testid="doorbell">
      <summary>{title}</summary>
      <ol class="knocks">
        {knocks.map((knock) => (
          <Knock key={`${knock.input} ${knock.peer} ${knock.code}`} knock={knock} />
        ))}
      </ol>
    </details>
  )
}
