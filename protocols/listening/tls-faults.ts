/** Why a TLS handshake failed, in words for the operator. */
import type { TLSSocket } from 'node:tls'

/** By the code of Node's error, which is OpenSSL's reason behind `ERR_SSL_`. */
const REASONS: Readonly<Record<string, string>> = {
  ERR_SSL_HTTP_REQUEST: 'it spoke plain HTTP to the TLS port',
  ERR_SSL_HTTPS_PROXY_REQUEST: 'it took the TLS port for an HTTP proxy',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it spoke something else than TLS to the TLS port',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it spoke something else than TLS to the TLS port',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'it speaks no TLS newer than 1.1',
  ERR_SSL_VERSION_TOO_LOW: 'it speaks no TLS newer than 1.1',
  ERR_SSL_NO_SHARED_CIPHER: 'it offers no cipher that is known here',
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'it showed no client certificate',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'it does not trust the authority of our certificate',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'it refuses our certificate',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: 'it refuses our certificate',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: 'it says that our certificate has expired',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'it did not finish the handshake in time',
}

/** Undefined when the peer only went away: balancers and heartbeats connect without a word. */
export function handshakeFault(error: NodeJS.ErrnoException, socket: TLSSocket): string | undefined {
  // Node types it as an Error and sets it to the code of OpenSSL's verification.
  const refused = socket.authorizationError as unknown
  if (refused) return `its client certificate is not taken (${refused})`
  const code = error.code ?? ''
  if (Object.hasOwn(REASONS, code)) return REASONS[code]
  return code.startsWith('ERR_SSL_') ? code.slice('ERR_SSL_'.length).toLowerCase().replaceAll('_', ' ') : undefined
}
