/** A button that copies, and says that it did. */
import { useState } from 'preact/hooks'
import { copyText } from './copy-text.ts'

const SAID_MS = 1_500

export function CopyButton({ label, text }: { label: string; text: () => string }) {
  const [said, setSaid] = useState<string>()
  const copy = async () => {
    const outcome = await copyText(text()).then(
      () => 'copied',
      () => 'not allowed',
    )
    setSaid(outcome)
    setTimeout(() => setSaid(undefined), SAID_MS)
  }
  return (
    <button type="button" class="small" onClick={copy}>
      {said ?? label}
    </button>
  )
}
