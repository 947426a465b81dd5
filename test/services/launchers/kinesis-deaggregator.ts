/** AWS' own decoder of aggregated records (npm aws-kinesis-agg), which the consumers of the producer library use. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { installOnce } from './availability.ts'

const VERSION = '4.2.8'

interface UserRecord {
  readonly partitionKey: string
  /** base64. */
  readonly data: string
}

type Deaggregate = (
  record: { readonly data: string },
  checksums: boolean,
  done: (error: Error | null, records: readonly UserRecord[]) => void,
) => void

/** @returns a function that takes a record apart into the texts in it. It throws where a checksum is wrong. */
export async function kinesisDeaggregator(): Promise<(record: Buffer) => readonly string[]> {
  const home = await installOnce(`aws-kinesis-agg-${VERSION}`, (into) => {
    writeFileSync(path.join(into, 'package.json'), '{"private":true}')
    const options = ['--no-audit', '--no-fund', '--ignore-scripts', '--legacy-peer-deps']
    const stdio = ['ignore', 'ignore', 'inherit'] as const
    execFileSync('npm', ['install', ...options, `aws-kinesis-agg@${VERSION}`], { cwd: into, stdio: [...stdio] })
  })
  const { deaggregateSync } = createRequire(path.join(home, 'package.json'))('aws-kinesis-agg') as {
    deaggregateSync: Deaggregate
  }
  return (record) => {
    const texts: string[] = []
    deaggregateSync({ data: record.toString('base64') }, true, (error, records) => {
      if (error !== null && error !== undefined) throw error
      texts.push(...records.map(({ data }) => Buffer.from(data, 'base64').toString()))
    })
    return texts
  }
}
