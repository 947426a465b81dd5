/** Reads server-sent events (WHATWG HTML) out of a byte stream: EventSource could not send a token. */

export interface ServerEvent {
  /** The last id that was seen, `''` before the first. */
  readonly id: string
  /** Empty for a frame that only moves the id. */
  readonly data: string
}

function parseFrame(frame: string, id: string): ServerEvent {
  let lastId = id
  const data: string[] = []
  for (const line of frame.split('\n')) {
    if (line.startsWith('id: ')) lastId = line.slice(4)
    if (line.startsWith('data: ')) data.push(line.slice(6))
  }
  return { id: lastId, data: data.join('\n') }
}

/** Yields each frame as it is complete. Ends with the stream; rejects with it too. */
export async function* readServerEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  let id = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      text += decoder.decode(value, { stream: true })
      const frames = text.split('\n\n')
      text = frames.pop()!
      for (const frame of frames) {
        const event = parseFrame(frame, id)
        id = event.id
        yield event
      }
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
}
