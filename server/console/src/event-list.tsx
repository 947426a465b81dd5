/** The events, newest at the top. Only the rows that are seen are in the document, however many there are. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { lineText, mainText } from '../../core/event-text.ts'
import { clockTime, dayOf } from '../../core/readable.ts'
import type { Hit } from './api.ts'
import { clip, hueOf, levelOf, ROW_CHARACTERS_MAX } from './document.ts'
import { canExtend } from './feed.ts'
import type { LiveFeed } from './use-feed.ts'

const ROW_PX = 26
const ROW_PX_NARROW = 48
/** Rows drawn above and below what is seen. */
const SPARE_ROWS = 20
/** Rows from the end at which older events are asked for. */
const OLDER_ROWS = 40
const TAG_CHARACTERS_MAX = 120

interface RowProps {
  readonly hit: Hit
  readonly open: boolean
  onOpen(hit: Hit): void
}

function Row({ hit, open, onOpen }: RowProps) {
  const { event, tag, time } = hit
  const level = levelOf(event)
  const exact = event['@timestamp']
  const text = lineText(clip(mainText(event), ROW_CHARACTERS_MAX))
  return (
    <button
      type="button"
      class={`row row-${level}${open ? ' row-open' : ''}`}
      data-testid="event"
      aria-pressed={open}
      onClick={() => onOpen(hit)}
    >
      <time class="row-time" title={typeof exact === 'string' ? exact : `${dayOf(time)} ${clockTime(time)}`}>
        {clockTime(time)}
      </time>
      <span class="row-tag" dir="auto">
        <i class="tag-dot" style={{ '--hue': hueOf(tag) }} />
        {lineText(clip(tag, TAG_CHARACTERS_MAX))}
      </span>
      <span class="row-text" dir="auto">
        {text}
      </span>
    </button>
  )
}

/** Which rows are to be drawn for a scroll position. */
function useVisibleRows(count: number) {
  const place = useRef<HTMLDivElement>(null)
  const [view, setView] = useState({ top: 0, height: 600, rowPx: ROW_PX })
  const measure = () => {
    const { scrollTop, clientHeight } = place.current!
    const rowPx = matchMedia('(max-width: 640px)').matches ? ROW_PX_NARROW : ROW_PX
    setView({ top: scrollTop, height: clientHeight, rowPx })
  }
  useLayoutEffect(() => {
    const resized = new ResizeObserver(measure)
    resized.observe(place.current!)
    return () => resized.disconnect()
  }, [])
  const first = Math.max(0, Math.floor(view.top / view.rowPx) - SPARE_ROWS)
  const end = Math.min(count, Math.ceil((view.top + view.height) / view.rowPx) + SPARE_ROWS)
  return { place, first, end, rowPx: view.rowPx, top: view.top, measure }
}

interface EventListProps {
  readonly feed: LiveFeed
  readonly openCursor: string | undefined
  /** Says whether the list is scrolled away from its top, where new events would push the rows. */
  onScrolled(scrolled: boolean): void
  onOpen(hit: Hit): void
  /** Goes back to the newest. */
  onResume(): void
}

function endText(feed: LiveFeed): string {
  if (feed.older === undefined) return feed.rows.length === 0 ? '' : 'That is all there is.'
  return canExtend(feed) || feed.loading
    ? 'Looking for older events …'
    : 'There is more: narrow the time, or the query.'
}

export function EventList({ feed, openCursor, onScrolled, onOpen, onResume }: EventListProps) {
  const { rows, freshCount, behind } = feed
  const { place, first, end, rowPx, top, measure } = useVisibleRows(rows.length)
  useEffect(() => {
    // Also without scrolling while the rows do not fill the list.
    if (end > rows.length - OLDER_ROWS && (top > 0 || end === rows.length)) feed.loadOlder()
  }, [end, rows.length, top, feed.older])
  const resume = () => {
    place.current!.scrollTop = 0
    onResume()
  }
  return (
    <div class="list">
      {freshCount > 0 && (
        <button type="button" class="fresh" data-testid="fresh" onClick={resume}>
          +{freshCount.toLocaleString('en')} new{behind ? ', more to come' : ''}
        </button>
      )}
      <div
        class={feed.loading ? 'scroll scroll-stale' : 'scroll'}
        ref={place}
        data-testid="events"
        tabIndex={-1}
        onScroll={() => {
          measure()
          onScrolled(place.current!.scrollTop > rowPx / 2)
        }}
      >
        <div style={{ height: `${first * rowPx}px` }} />
        {rows.slice(first, end).map((hit) => (
          <Row key={hit.cursor} hit={hit} open={hit.cursor === openCursor} onOpen={onOpen} />
        ))}
        <div style={{ height: `${Math.max(0, rows.length - end) * rowPx}px` }} />
        <p class="list-end dim">{endText(feed)}</p>
      </div>
    </div>
  )
}
