/** One event, whole: every key with its value, and the ways to go on from it. */
import { formatJson, visibleText } from '../../core/event-text.ts'
import type { Hit } from './api.ts'
import { CopyButton } from './copy-button.tsx'
import { clip, type DocumentRow, detailRowsOf, termOf, VALUE_CHARACTERS_MAX } from './document.ts'

const ROWS_SHOWN_MAX = 500

interface DetailProps {
  readonly hit: Hit
  onTerm(term: string): void
  onClose(): void
}

/** Line ends stay line ends; everything else that cannot be seen is made visible. */
function shown(text: string): string {
  return clip(text, VALUE_CHARACTERS_MAX).split('\n').map(visibleText).join('\n')
}

function ValueRow({ row, onTerm }: { row: DocumentRow; onTerm: DetailProps['onTerm'] }) {
  const isUnique = row.path === '@timestamp' || row.path === 'sequence'
  const term = isUnique || typeof row.value === 'object' ? undefined : termOf(row.path, row.text)
  return (
    <tr data-testid="field-row">
      <th scope="row">{visibleText(clip(row.path, 200))}</th>
      <td class={`value value-${typeof row.value}`} dir="auto">
        {shown(row.text)}
      </td>
      <td class="row-actions">
        {term !== undefined && (
          <>
            <button
              type="button"
              class="small"
              title={`only ${term}`}
              aria-label={`Filter for ${row.path}`}
              onClick={() => onTerm(term)}
            >
              +
            </button>
            <button
              type="button"
              class="small"
              title={`not ${term}`}
              aria-label={`Filter out ${row.path}`}
              onClick={() => onTerm(`-${term}`)}
            >
              −
            </button>
          </>
        )}
      </td>
    </tr>
  )
}

export function EventDetail({ hit, onTerm, onClose }: DetailProps) {
  const rows = detailRowsOf(hit.event)
  return (
    <aside class="detail" data-testid="detail" aria-label="Event">
      <div class="detail-head">
        <h2>Event</h2>
        <CopyButton label="Copy JSON" text={() => formatJson(hit.event, 2)} />
        <button type="button" class="small" data-testid="close" aria-label="Close" onClick={onClose}>
          Esc
        </button>
      </div>
      <div class="detail-body">
        <table>
          <tbody>
            {rows.slice(0, ROWS_SHOWN_MAX).map((row) => (
              <ValueRow key={row.path} row={row} onTerm={onTerm} />
            ))}
          </tbody>
        </table>
        {rows.length > ROWS_SHOWN_MAX && <p class="dim">{rows.length - ROWS_SHOWN_MAX} more fields: copy the JSON.</p>}
        <p class="dim event-id">id {visibleText(hit.id)}</p>
      </div>
    </aside>
  )
}
