/** The configuration of the forward output as tests want it: no heartbeats, and what is lost stays lost. */
import type { output } from '../../../outputs/forward/forward.ts'
import type { ConfigOf } from '../../../server/core/fields.ts'

export type ForwardConfig = ConfigOf<typeof output.fields>
export type ServerConfig = ForwardConfig['servers'][number]

export const TLS_OFF: ForwardConfig['tls'] = {
  enabled: false,
  ca_path: undefined,
  cert_path: undefined,
  private_key_path: undefined,
  private_key_passphrase: undefined,
  verify_hostname: true,
  insecure: false,
}
export function serverAt(port: number, over: Partial<ServerConfig> = {}): ServerConfig {
  const none = { name: undefined, shared_key: undefined, username: undefined, password: undefined }
  return { host: '127.0.0.1', port, weight: 60, standby: false, ...none, ...over }
}

export function configFor(servers: readonly ServerConfig[], over: Partial<ForwardConfig> = {}): ForwardConfig {
  return {
    servers,
    shared_key: undefined,
    self_hostname: 'agent',
    tls: TLS_OFF,
    compress: 'text',
    chunk_limit_size: 4 * 1024 * 1024,
    require_ack_response: true,
    ack_response_timeout: 190_000,
    send_timeout: 60_000,
    hard_timeout: 60_000,
    heartbeat_type: 'none',
    heartbeat_interval: 20,
    phi_failure_detector: true,
    phi_threshold: 16,
    recover_wait: 60_000,
    keepalive: true,
    concurrency: 1,
    ...over,
  }
}
