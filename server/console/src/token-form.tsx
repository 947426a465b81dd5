/** Asks for the token; it is kept for this tab only. */
import { keepToken } from './api.ts'

export function TokenForm({ onToken }: { onToken(): void }) {
  return (
    <form
      class="first token"
      data-testid="token-form"
      onSubmit={(event) => {
        event.preventDefault()
        keepToken(String(new FormData(event.currentTarget).get('token') ?? '').trim())
        onToken()
      }}
    >
      <h2>This Logboom asks for a token</h2>
      <p>
        It is <code>admin.token</code> of its configuration.
      </p>
      <input name="token" type="password" aria-label="Token" autocomplete="off" required />
      <button type="submit">Open</button>
    </form>
  )
}
