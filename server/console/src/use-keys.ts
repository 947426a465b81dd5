/** The keyboard: what each key does is said by the page. */
import { useEffect } from 'preact/hooks'

export interface Keys {
  search(): void
  pause(): void
  escape(): void
  /** -1: to the newer event, 1: to the older. */
  step(by: -1 | 1): void
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLSelectElement
}

export function useKeys(keys: Keys): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return
      if (event.key === 'Escape') return keys.escape()
      if (isTyping(event.target)) return
      const action = { '/': keys.search, ' ': keys.pause, j: () => keys.step(1), k: () => keys.step(-1) }[event.key]
      if (action === undefined) return
      event.preventDefault()
      action()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  })
}
