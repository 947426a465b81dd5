/** Where the query is typed, and where its fault is shown. */
import type { RefObject } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { ApiError } from './api.ts'

const TYPING_MS = 300

interface SearchBoxProps {
  readonly query: string
  readonly error: ApiError | undefined
  readonly input: RefObject<HTMLInputElement | null>
  onQuery(query: string): void
}

/** The query once more with the faulty place marked. */
function Fault({ query, error }: { query: string; error: ApiError }) {
  const at = error.position === undefined ? undefined : Math.max(0, error.position - 1)
  return (
    <p class="fault" role="alert" data-testid="query-error">
      {at !== undefined && (
        <code class="fault-text">
          {query.slice(0, at)}
          <mark>{query.slice(at) || ' '}</mark>
        </code>
      )}
      <span>
        {error.message}. <span class="dim">{error.help}</span>
      </span>
    </p>
  )
}

export function SearchBox({ query, error, input, onQuery }: SearchBoxProps) {
  const [draft, setDraft] = useState(query)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => setDraft(query), [query])
  useEffect(() => () => clearTimeout(timer.current), [])
  const commit = (text: string) => {
    clearTimeout(timer.current)
    onQuery(text.trim())
  }
  return (
    <div class="search">
      <input
        ref={input}
        class={error === undefined ? 'query' : 'query query-bad'}
        data-testid="query"
        type="search"
        aria-label="Search"
        placeholder={'Search:  words  "a phrase"  -not  field:value  tag:docker.*'}
        spellcheck={false}
        autocomplete="off"
        maxLength={1024}
        value={draft}
        onInput={(event) => {
          const text = event.currentTarget.value
          setDraft(text)
          clearTimeout(timer.current)
          timer.current = setTimeout(() => commit(text), TYPING_MS)
        }}
        onKeyDown={(event) => event.key === 'Enter' && commit(event.currentTarget.value)}
      />
      <kbd class="hint">/</kbd>
      {error !== undefined && <Fault query={query} error={error} />}
    </div>
  )
}
