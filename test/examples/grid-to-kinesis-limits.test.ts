/** The limits of shards, and shards that are split and merged under load. Row C4. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  DescribeStreamSummaryCommand,
  ListShardsCommand,
  MergeShardsCommand,
  SplitShardCommand,
} from '@aws-sdk/client-kinesis'
import { startLoad } from '../e2e/load-run.ts'
import { ROOT } from '../e2e/program.ts'
import { need, needPrograms } from '../services/launchers/availability.ts'
import { createStream, type KinesisServer, readStream, startKinesis } from '../services/launchers/kinesis.ts'
import { ShardLimits } from '../services/launchers/kinesis-shards.ts'
import { createAgent, STATIC_KEYS, TAG } from './grid-to-kinesis/agent.ts'
import { reportRow } from './rows.ts'

const EVENTS = Number(process.env.LOGBOOM_TEST_EVENTS ?? 40_000)
const STREAM = 'limits'
const SHARDS = 2
const LIMIT_MS = 240_000
const POLL_MS = 50

let kinesis: KinesisServer
before(async () => {
  kinesis = await startKinesis()
})
after(() => kinesis?.close())

/** The middle of a shard's range of hash keys. */
async function middleOf(ShardId: string): Promise<string> {
  const { Shards = [] } = await kinesis.client.send(new ListShardsCommand({ StreamName: STREAM }))
  const range = Shards.find((shard) => shard.ShardId === ShardId)!.HashKeyRange!
  return ((BigInt(range.StartingHashKey!) + BigInt(range.EndingHashKey!)) / 2n).toString()
}

async function untilActive(): Promise<void> {
  const command = new DescribeStreamSummaryCommand({ StreamName: STREAM })
  while ((await kinesis.client.send(command)).StreamDescriptionSummary?.StreamStatus !== 'ACTIVE') await sleep(POLL_MS)
}

/** From two shards to four, and to three. */
async function reshard(limits: ShardLimits): Promise<readonly string[]> {
  for (const ShardToSplit of await limits.refresh()) {
    const NewStartingHashKey = await middleOf(ShardToSplit)
    await kinesis.client.send(new SplitShardCommand({ StreamName: STREAM, ShardToSplit, NewStartingHashKey }))
    await untilActive()
  }
  const [ShardToMerge, AdjacentShardToMerge] = await limits.refresh()
  await kinesis.client.send(new MergeShardsCommand({ StreamName: STREAM, ShardToMerge, AdjacentShardToMerge }))
  await untilActive()
  return limits.refresh()
}

test('C4: shards take 1,000 records and 1 MB a second, are split and merged, and nothing is lost', async (t) => {
  await createStream(kinesis.client, STREAM, SHARDS)
  const limits = new ShardLimits(kinesis.client, STREAM)
  await limits.refresh()
  const { faults, counts } = kinesis.proxy
  faults.shardTakes = (record) => limits.takes(record)
  const agent = await createAgent(t, { STREAM, KINESIS_ENDPOINT: kinesis.endpoint, ...STATIC_KEYS })
  const program = await agent.start()
  const load = startLoad({ port: agent.forwardPort, events: EVENTS, connections: 2, batch: 100, tag: TAG })
  await program.until('throttled', () => counts.throttled > 0 && counts.stored > EVENTS / 4, LIMIT_MS)
  const open = await reshard(limits)
  assert.equal(open.length, 3)
  assert.ok(counts.stored < EVENTS, 'the load was over before the shards were merged: LOGBOOM_TEST_EVENTS')
  assert.equal((await load.report).acked, EVENTS)
  await program.untilDrained(LIMIT_MS)
  const lines = (await readStream(kinesis.client, STREAM)).map(({ data }) => JSON.parse(data).log as string)
  assert.deepEqual([lines.length, new Set(lines).size], [EVENTS, EVENTS])
  assert.equal(await program.metric('logboom_kinesis_records_total'), counts.stored)
  assert.ok(await program.metric('logboom_output_retries_total', 'reason="throttled"'))
  const refused = Math.round((100 * counts.throttled) / (counts.stored + counts.throttled))
  assert.ok(refused < 50, `${refused} % of what was sent was refused: the rate did not follow`)
  const isSeen = async () => (await program.metric('logboom_kinesis_shards')) >= open.length
  await program.until('telling of its shards', isSeen, LIMIT_MS)
  reportRow('C4', `${EVENTS} events into 2, 4 and 3 shards: 0 lost, 0 doubled, ${refused} % of what was sent refused`)
})

test('C4: the alerts at 90 % of the capacity fire when they should', async (t) => {
  const promtool = () => needPrograms({ promtool: 'prometheus' })
  if ((await need(t, promtool)) === undefined) return
  const cases = path.join(ROOT, 'test', 'services', 'kinesis-alerts.yml')
  assert.match(execFileSync('promtool', ['test', 'rules', cases], { encoding: 'utf8' }), /SUCCESS/)
  const config = path.join(ROOT, 'deploy', 'examples', 'grid-to-kinesis', 'prometheus.yml')
  assert.match(execFileSync('promtool', ['check', 'config', config], { encoding: 'utf8' }), /SUCCESS/)
  reportRow('C4', 'two agents at 92 % of their stream: the alert fires; four shards for two: it is over')
})
