/** What Elasticsearch gives back, sorted as the saved search of the example sorts. */
import { ask } from '../../e2e/search-client.ts'

export interface Stored {
  readonly index: string
  readonly source: Readonly<Record<string, unknown>>
}

interface Hit {
  readonly _index: string
  readonly _source: Readonly<Record<string, unknown>>
  readonly sort: readonly unknown[]
}

const PAGE = 5_000
export const SORT = [{ '@timestamp': 'asc' }, { sequence: 'asc' }]

/** Every document that the query finds. @param fields what is wanted of each; left out, all. */
export async function sortedDocuments(server: string, query: object, fields?: readonly string[]): Promise<Stored[]> {
  await ask(`${server}/logstash-*/_refresh`, 'POST')
  const documents: Stored[] = []
  for (let after: readonly unknown[] | undefined; ; ) {
    const body = {
      ...{ size: PAGE, sort: SORT, query },
      ...(fields !== undefined && { _source: fields }),
      ...(after !== undefined && { search_after: after }),
    }
    const answer = await ask(`${server}/logstash-*/_search`, 'POST', body)
    const { hits } = answer.hits as { readonly hits: readonly Hit[] }
    for (const { _index, _source } of hits) documents.push({ index: _index, source: _source })
    if (hits.length < PAGE) return documents
    after = hits.at(-1)!.sort
  }
}

export const ofContainer = (name: string) => ({ term: { 'container_name.keyword': name } })
