/** The whole server within the test: bytes into its forward port, documents out of a search server that is a fake. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'
import { loadConfig } from '../../../server/config/load.ts'
import type { OutputReport } from '../../../server/core/status.ts'
import { type Pipeline, startPipeline } from '../../../server/pipeline.ts'
import { withFiles } from '../../config/load-text.ts'
import { createFakeLogger } from '../../delivery/fakes.ts'
import { connectForward } from '../../e2e/forward-client.ts'
import { startFakeSearchServer } from '../../outputs/elasticsearch/fake-search-server.ts'

const LIMIT_MS = 30_000

export interface ServerUnderTest {
  /** Sends the bytes of one connection. */
  send(bytes: Uint8Array): Promise<void>
  /** By their order in the buffer. Waits until there are so many. */
  documents(count: number): Promise<Readonly<Record<string, unknown>>[]>
  output(): OutputReport
  /** Waits until the output says so. */
  until(isSo: (output: OutputReport) => boolean): Promise<void>
  restart(): Promise<void>
}

/** Everything is closed and deleted when the test ends. */
export async function startServer(t: TestContext, filters: readonly object[]): Promise<ServerUnderTest> {
  const directory = await mkdtemp(path.join(tmpdir(), 'logboom-conformance-'))
  const search = await startFakeSearchServer()
  let pipeline: Pipeline | undefined
  t.after(async () => {
    await pipeline?.close()
    await search.close()
    await rm(directory, { recursive: true })
  })
  async function start(): Promise<void> {
    const config = stringify({
      admin: { listen: '127.0.0.1:0' },
      shutdown_limit: '2s',
      buffer: { path: path.join(directory, 'buffer') },
      inputs: { forward: { listen: '127.0.0.1:0' } },
      filters,
      outputs: { search: { type: 'elasticsearch', url: search.url, batch: { age: '10ms' } } },
    })
    pipeline = await withFiles({ 'logboom.yaml': config }, async (folder) =>
      startPipeline(await loadConfig({ directory: folder, environment: {} }), createFakeLogger()),
    )
  }
  const output = () => pipeline!.report().outputs[0]!
  async function until(isSo: () => boolean): Promise<void> {
    for (const limit = performance.now() + LIMIT_MS; !isSo(); await sleep(5)) {
      if (performance.now() > limit) throw new Error(`not so within ${LIMIT_MS} ms: ${JSON.stringify(output())}`)
    }
  }
  await start()
  return {
    output,
    until: (isSo) => until(() => isSo(output())),
    async send(bytes) {
      const port = Number(/:(\d+)/.exec(pipeline!.report().inputs[0]!.addresses[0]!)![1])
      const client = await connectForward(port)
      await client.write(bytes)
      client.endWriting()
      await client.closed
    },
    async documents(count) {
      await until(() => search.documents.size >= count)
      const documents = [...search.documents.values()].map(({ text }) => JSON.parse(text) as Record<string, unknown>)
      return documents.sort((a, b) => Number(a.sequence) - Number(b.sequence))
    },
    async restart() {
      await pipeline!.close()
      await start()
    },
  }
}
