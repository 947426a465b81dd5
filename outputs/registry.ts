/**
 * Every output, by type. Adding one is one line here; its module exports it as `output` and is imported where it
 * is used.
 */
export const OUTPUTS: Readonly<Record<string, string>> = {
  elasticsearch: new URL('./elasticsearch/elasticsearch.ts', import.meta.url).href,
  kafka: new URL('./kafka/kafka.ts', import.meta.url).href,
  kinesis: new URL('./kinesis/kinesis.ts', import.meta.url).href,
  local: new URL('./local/local.ts', import.meta.url).href,
  mongodb: new URL('./mongodb/mongodb.ts', import.meta.url).href,
  s3: new URL('./s3/s3.ts', import.meta.url).href,
  stdout: new URL('./stdout.ts', import.meta.url).href,
}
