/** How TLS is spoken with a server. */
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { type ConnectionOptions, createSecureContext } from 'node:tls'
import type { ForwardConfig, ServerConfig } from './forward-config.ts'

/**
 * Reads the certificates.
 * @returns for a server what to connect with, undefined where TLS is not spoken.
 * Throws what the disk and OpenSSL throw.
 */
export async function createTlsOptions(
  tls: ForwardConfig['tls'],
): Promise<(server: ServerConfig) => ConnectionOptions | undefined> {
  if (!tls.enabled) return () => undefined
  const read = (file: string | undefined) => (file === undefined ? undefined : readFile(file))
  const [ca, cert, key] = await Promise.all([tls.ca_path, tls.cert_path, tls.private_key_path].map(read))
  const { private_key_passphrase: passphrase } = tls
  const secureContext = createSecureContext({
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(passphrase === undefined ? {} : { passphrase }),
  })
  return ({ host, name }) => {
    const servername = isIP(host) === 0 ? host : name
    return {
      secureContext,
      rejectUnauthorized: !tls.insecure,
      ...(servername === undefined || isIP(servername) !== 0 ? {} : { servername }),
      ...(tls.verify_hostname ? {} : { checkServerIdentity: () => undefined }),
    }
  }
}
