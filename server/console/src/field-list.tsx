/** The most frequent values of each field; a click looks for one. */
import { lineText } from '../../core/event-text.ts'
import { amount } from '../../core/readable.ts'
import type { FieldValues } from '../../core/search.ts'
import { clip, termOf } from './document.ts'

/** Fields that are another in every event. */
const UNIQUE = new Set(['@timestamp', 'sequence', 'log', 'message', 'short_message'])
const FIELDS_SHOWN_MAX = 30
const VALUES_SHOWN_MAX = 6
const VALUE_CHARACTERS_MAX = 80

interface FieldListProps {
  readonly fields: readonly FieldValues[] | undefined
  onTerm(term: string): void
}

function Values({ field, top, onTerm }: FieldValues & { onTerm: FieldListProps['onTerm'] }) {
  const most = top[0]?.count ?? 1
  return (
    <ul>
      {top.slice(0, VALUES_SHOWN_MAX).map(({ value, count }) => {
        const term = termOf(field, value)
        return (
          <li key={value}>
            <button
              type="button"
              class="field-value"
              data-testid="field-value"
              disabled={term === undefined}
              title={term}
              onClick={() => term !== undefined && onTerm(term)}
            >
              <span class="field-share" style={{ width: `${(count / most) * 100}%` }} />
              <span class="field-text" dir="auto">
                {lineText(clip(value, VALUE_CHARACTERS_MAX)) || '(empty)'}
              </span>
              <span class="dim">{amount(count)}</span>
            </button>
          </li>
        )
      })}
    </ul>
  )
}

export function FieldList({ fields, onTerm }: FieldListProps) {
  const listed = (fields ?? []).filter(({ field, top }) => !UNIQUE.has(field) && top.length > 0)
  return (
    <nav class="fields" data-testid="fields" aria-label="Fields">
      {listed.slice(0, FIELDS_SHOWN_MAX).map(({ field, top }, index) => (
        <details key={field} open={index < 5}>
          <summary title={field}>{lineText(clip(field, VALUE_CHARACTERS_MAX))}</summary>
          <Values field={field} top={top} onTerm={onTerm} />
        </details>
      ))}
    </nav>
  )
}
