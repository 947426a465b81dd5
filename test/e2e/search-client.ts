/** What a test asks a real search server, by plain HTTP: it must not lean on the client that is tested. */
import assert from 'node:assert/strict'

const PAGE = 10_000
const SCROLL = '2m'

export type Document = Readonly<Record<string, unknown>>

export async function ask(url: string, method = 'GET', body?: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(url, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  const answer = (await response.json()) as Record<string, unknown>
  assert.ok(response.ok, `${method} ${url}: ${response.status} ${JSON.stringify(answer).slice(0, 500)}`)
  return answer
}

/** Makes what was indexed visible to searches, and counts it. */
export async function countDocuments(server: string, index: string): Promise<number> {
  await ask(`${server}/${index}/_refresh`, 'POST')
  return (await ask(`${server}/${index}/_count`)).count as number
}

interface Page {
  readonly _scroll_id: string
  readonly hits: { readonly hits: readonly { readonly _id: string; readonly _source: Document }[] }
}

/** Every document of the index, a page at a time, with the fields that are asked for. */
export async function* documentsOf(server: string, index: string, fields: readonly string[]): AsyncGenerator<Document> {
  const first = { size: PAGE, _source: fields, sort: ['_doc'] }
  let page = (await ask(`${server}/${index}/_search?scroll=${SCROLL}`, 'POST', first)) as unknown as Page
  while (page.hits.hits.length > 0) {
    for (const hit of page.hits.hits) yield hit._source
    const next = { scroll: SCROLL, scroll_id: page._scroll_id }
    page = (await ask(`${server}/_search/scroll`, 'POST', next)) as unknown as Page
  }
}
