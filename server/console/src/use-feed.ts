/** Keeps the list of events: first page, live tail, older pages. What a list is stands in `feed.ts`. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { ApiError, getEvents, type Hit, type Page, type Question, tail } from './api.ts'
import { arrive, canExtend, EMPTY_FEED, extend, type Feed, ROWS_MAX, release, startFeed } from './feed.ts'

const PAGE_EVENTS = 200
const RECONNECT_MS = 1_000

interface FeedState {
  readonly loading: boolean
  /** What the server said against the query. */
  readonly error: ApiError | undefined
  /** The tail is behind and catches up. */
  readonly behind: boolean
}
export interface LiveFeed extends Feed, FeedState {
  loadOlder(): void
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** What the follower of a question tells and asks the page. */
interface Watcher {
  onPage(page: Page): void
  onBatch(hits: readonly Hit[], behind: boolean): void
  onError(error: ApiError): void
  /** Resolves at once unless the list is held, else when it is let go. */
  untilReleased(signal: AbortSignal): Promise<void>
}

/**
 * Follows from a cursor on; a lost connection is taken up again there, so nothing is missed. Returns when the tail is
 * so far behind that the list would not hold what is to come: then the newest page is the better beginning.
 */
async function follow(q: string, from: string, watcher: Watcher, signal: AbortSignal): Promise<void> {
  let cursor = from
  let behindEvents = 0
  while (!signal.aborted) {
    try {
      for await (const { hits, behind, id } of tail(q, cursor, signal)) {
        cursor = id
        behindEvents = behind ? behindEvents + hits.length : 0
        if (hits.length > 0) watcher.onBatch(hits, behind)
        if (behindEvents > ROWS_MAX) return
      }
    } catch (error) {
      // The server says no: asking the same again would not help, except for a seat among the tails.
      if (error instanceof ApiError && error.code !== 'LB-A004') throw error
    }
    if (!signal.aborted) await pause(RECONNECT_MS)
  }
}

/** Answers the question until the signal aborts or the server says that it cannot be answered. */
async function watch(question: Question, watcher: Watcher, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const page = await getEvents({ ...question, limit: PAGE_EVENTS }, signal)
      watcher.onPage(page)
      if (question.to !== undefined) return
      await follow(question.q, page.newest, watcher, signal)
      await watcher.untilReleased(signal)
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof ApiError) return watcher.onError(error)
      await pause(RECONNECT_MS)
    }
  }
}

/** Whether the list is held, for what runs beside the drawing. */
function useHold(held: boolean, onRelease: () => void) {
  const isHeld = useRef(held)
  const letGo = useRef(() => {})
  isHeld.current = held
  useEffect(() => {
    if (held) return
    onRelease()
    letGo.current()
  }, [held])
  const untilReleased = (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      if (!isHeld.current || signal.aborted) return resolve()
      letGo.current = resolve
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  return { isHeld, untilReleased }
}

/** A question with an end is looked at, not followed. While `held`, what comes waits. */
export function useFeed(question: Question, held: boolean, session: number): LiveFeed {
  const { q, from, to } = question
  const [feed, setFeed] = useState<Feed>(EMPTY_FEED)
  const [state, setState] = useState<FeedState>({ loading: true, behind: false, error: undefined })
  const { isHeld, untilReleased } = useHold(held, () => setFeed(release))

  useEffect(() => {
    const abort = new AbortController()
    setState((now) => ({ ...now, loading: true }))
    const watcher: Watcher = {
      onPage(page) {
        setFeed(startFeed(page))
        setState({ loading: false, behind: false, error: undefined })
      },
      onBatch(hits, behind) {
        if (abort.signal.aborted) return
        setState((now) => (now.behind === behind ? now : { ...now, behind }))
        setFeed((now) => arrive(now, hits, isHeld.current))
      },
      onError: (error) => setState({ loading: false, behind: false, error }),
      untilReleased,
    }
    void watch(question, watcher, abort.signal)
    return () => abort.abort()
  }, [q, from, to, session])

  const loadOlder = useOlder(question, feed, setFeed)
  return { ...feed, ...state, loadOlder }
}

/** One older page at a time; a question that is asked no more is forgotten. */
function useOlder(question: Question, feed: Feed, setFeed: (change: (now: Feed) => Feed) => void): () => void {
  const { q, from, to } = question
  const running = useRef<AbortController>(undefined)
  useEffect(() => {
    return () => {
      running.current?.abort()
      running.current = undefined
    }
  }, [q, from, to])
  return () => {
    if (running.current !== undefined || !canExtend(feed)) return
    const abort = new AbortController()
    running.current = abort
    const before = feed.older!
    getEvents({ ...question, limit: PAGE_EVENTS, before }, abort.signal)
      .then((page) => {
        // Rows may have been cut off meanwhile: only what joins without a gap is added.
        setFeed((now) => (now.older === before ? extend(now, page) : now))
      })
      .catch(() => {})
      .finally(() => {
        if (running.current === abort) running.current = undefined
      })
  }
}
