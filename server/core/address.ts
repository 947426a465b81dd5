/** Addresses as text, the same in the log, in errors and in the status. */
import type { Address } from './fields.ts'

/** `127.0.0.1:24224`, `[::1]:24224`, `unix:/run/logboom.sock`: as they are written in the configuration. */
export function formatAddress(address: Address): string {
  if ('path' in address) return `unix:${address.path}`
  const { host, port } = address
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
