/** The page: one question, and everything that answers it. */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Hit, Question } from './api.ts'
import { addTerm } from './document.ts'
import { EventDetail } from './event-detail.tsx'
import { EventList } from './event-list.tsx'
import { FieldList } from './field-list.tsx'
import { FirstEvent } from './first-event.tsx'
import { Header } from './header.tsx'
import { hashOf, questionOf } from './page-address.ts'
import { PipelineStrip } from './pipeline-strip.tsx'
import { SearchBox } from './search-box.tsx'
import { TimeChart } from './time-chart.tsx'
import { TokenForm } from './token-form.tsx'
import { Toolbar } from './toolbar.tsx'
import { type LiveFeed, useFeed } from './use-feed.ts'
import { useKeys } from './use-keys.ts'
import { useFields, useHistogram } from './use-overview.ts'
import { type Status, useStatus } from './use-status.ts'
import { windowFor } from './windows.ts'

function useQuestion(): [Question, (question: Question) => void] {
  const [question, setQuestion] = useState(() => questionOf(location.hash))
  useEffect(() => {
    const read = () => setQuestion(questionOf(location.hash))
    addEventListener('hashchange', read)
    return () => removeEventListener('hashchange', read)
  }, [])
  const ask = (next: Question) => {
    history.replaceState(null, '', hashOf(next))
    setQuestion(next)
  }
  return [question, ask]
}

export function App() {
  const [session, setSession] = useState(0)
  const status = useStatus(session)
  if (status.failure === 'unauthorized') return <TokenForm onToken={() => setSession(session + 1)} />
  return <Console status={status} session={session} />
}

function Console({ status, session }: { status: Status; session: number }) {
  const [question, ask] = useQuestion()
  const [paused, setPaused] = useState(false)
  const [scrolled, setScrolled] = useState(false)
  const [open, setOpen] = useState<Hit>()
  const [chosenWindow, setChosenWindow] = useState<number>()
  const input = useRef<HTMLInputElement>(null)
  const feed = useFeed(question, paused || scrolled, session)
  const empty = feed.rows.length === 0 && feed.freshCount === 0
  const windowMs = chosenWindow ?? windowFor(feed.rows[0]?.time, Date.now())

  const addToQuery = (term: string) => ask({ ...question, q: addTerm(question.q, term) })
  const goLive = () => ask({ q: question.q })
  useKeys({
    search: () => input.current?.focus(),
    pause: () => setPaused(!paused),
    escape() {
      if (open !== undefined) setOpen(undefined)
      else if (document.activeElement === input.current) input.current?.blur()
      else if (question.to !== undefined) goLive()
    },
    step(by) {
      const at = feed.rows.findIndex(({ cursor }) => cursor === open?.cursor)
      setOpen(feed.rows[Math.max(0, at + by)] ?? open)
    },
  })

  const isAll = question.q === '' && question.to === undefined
  const isFirst = isAll && empty && !feed.loading && feed.older === undefined && feed.error === undefined
  return (
    <div class={open === undefined ? 'page' : 'page page-open'}>
      <Header status={status} />
      <PipelineStrip status={status} />
      <div class="controls">
        <SearchBox query={question.q} error={feed.error} input={input} onQuery={(q) => ask({ ...question, q })} />
        <Toolbar
          question={question}
          windowMs={windowMs}
          paused={paused}
          behind={feed.behind}
          onPause={setPaused}
          onWindow={setChosenWindow}
          onLive={goLive}
        />
      </div>
      {isFirst ? (
        <FirstEvent report={status.report} />
      ) : (
        <main class="main">
          <Overview question={question} windowMs={windowMs} session={session} started={!empty} onQuestion={ask} />
          {empty && !feed.loading && feed.older === undefined ? (
            <Nothing feed={feed} />
          ) : (
            <EventList
              feed={feed}
              openCursor={open?.cursor}
              onScrolled={setScrolled}
              onOpen={setOpen}
              onResume={() => setPaused(false)}
            />
          )}
        </main>
      )}
      {open !== undefined && <EventDetail hit={open} onTerm={addToQuery} onClose={() => setOpen(undefined)} />}
    </div>
  )
}

interface OverviewProps {
  readonly question: Question
  readonly windowMs: number
  readonly session: number
  /** There are events, and so there are fields. */
  readonly started: boolean
  onQuestion(question: Question): void
}

/** What surrounds the list: the chart above it and the fields beside it. */
function Overview({ question, windowMs, session, started, onQuestion }: OverviewProps) {
  const counts = useHistogram(question, windowMs, session)
  const fields = useFields(question, started, session)
  return (
    <>
      <TimeChart counts={counts} onSelect={(from, to) => onQuestion({ q: question.q, from, to })} />
      <FieldList fields={fields} onTerm={(term) => onQuestion({ ...question, q: addTerm(question.q, term) })} />
    </>
  )
}

function Nothing({ feed: { error } }: { feed: LiveFeed }) {
  return (
    <p class="nothing dim" data-testid="nothing">
      {error === undefined
        ? 'Nothing matches yet. What comes and matches shows here.'
        : `${error.message}. ${error.help}`}
    </p>
  )
}
