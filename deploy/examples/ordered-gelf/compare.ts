/**
 * Compares a raw log with what Elasticsearch gives back, sorted by time and sequence, line by line:
 *
 *   node compare.ts RAW.log CONTAINER_NAME [URL [INDEX]]
 *
 * Says how many lines are the same and ends with 0, or shows the first that differs and ends with 1.
 */
import { readFileSync } from 'node:fs'

interface Hit {
  readonly _source: { readonly short_message: string }
  readonly sort: readonly unknown[]
}

/** Documents of one request; Elasticsearch gives 10,000 at most. */
const PAGE = 5_000
/** As the saved search of kibana.ndjson has it. */
const SORT = [{ '@timestamp': 'asc' }, { sequence: 'asc' }]

async function sortedLines(url: string, index: string, container: string): Promise<string[]> {
  const lines: string[] = []
  for (let after: readonly unknown[] | undefined; ; ) {
    const query = { term: { 'container_name.keyword': container } }
    const search_after = after && { search_after: after }
    const response = await fetch(`${url}/${index}/_search`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ size: PAGE, sort: SORT, query, _source: ['short_message'], ...search_after }),
    })
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
    const { hits } = ((await response.json()) as { hits: { hits: Hit[] } }).hits
    for (const { _source } of hits) lines.push(_source.short_message)
    if (hits.length < PAGE) return lines
    after = hits.at(-1)!.sort
  }
}

const [raw, container, url = 'http://127.0.0.1:9200', index = 'logstash-*'] = process.argv.slice(2)
if (raw === undefined || container === undefined) throw new Error('compare.ts RAW.log CONTAINER_NAME [URL [INDEX]]')
const sent = readFileSync(raw, 'utf8').split('\n').filter(Boolean)
const stored = await sortedLines(url, index, container)
const differs = sent.findIndex((line, at) => line !== stored[at])
if (differs === -1 && sent.length === stored.length) {
  process.stdout.write(`${sent.length} lines: identical\n`)
} else {
  const at = differs === -1 ? sent.length : differs
  process.stdout.write(
    `${sent.length} lines sent, ${stored.length} stored; the first that differs is line ${at + 1}:\n`,
  )
  process.stdout.write(`  sent:   ${sent[at] ?? '(none)'}\n  stored: ${stored[at] ?? '(none)'}\n`)
  process.exitCode = 1
}
