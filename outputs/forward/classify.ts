/** What a fault of a socket means for what was sent over it. Pure. */
import { OutputError } from '../output.ts'

/** Certificates that are not trusted, expired or for another name, or no TLS at all: only an operator can mend that. */
const CERTIFICATE_FAULT = /certificate|self[- ]signed|altname|unable to (get|verify)|wrong version number|CERT_/i

/** `blocked` where only an operator can mend it, `network` where it may pass. */
export function classifySocketError(error: Error): OutputError {
  const { code, message } = error as NodeJS.ErrnoException
  const words = message === '' ? String(code) : message
  if (CERTIFICATE_FAULT.test(`${code} ${message}`)) return new OutputError('blocked', 'blocked', words)
  if (code === 'ETIMEDOUT') return new OutputError('retry', 'timeout', words)
  return new OutputError('retry', 'network', words)
}
