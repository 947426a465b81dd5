/** How TLS is spoken with a server. The certificates are read again when their files change. */
import { readFile, stat } from 'node:fs/promises'
import { isIP } from 'node:net'
import { type ConnectionOptions, createSecureContext, type SecureContext } from 'node:tls'
import { LogboomError } from '../../server/core/errors.ts'
import type { OutputContext } from '../output.ts'
import type { ForwardConfig, ServerConfig } from './forward-config.ts'

type TlsConfig = ForwardConfig['tls']

/** What the next connection is opened with. */
export type TlsOptions = () => Promise<ConnectionOptions>

/**
 * Reads the certificates.
 * @returns for a server what to connect with, undefined where TLS is not spoken.
 * Throws what the disk and OpenSSL throw.
 */
export async function createTlsOptions(
  tls: TlsConfig,
  context: Pick<OutputContext, 'name' | 'log'>,
): Promise<(server: ServerConfig) => TlsOptions | undefined> {
  if (!tls.enabled) return () => undefined
  const current = await watchCertificates(tls, context)
  return ({ host, name }) => {
    const servername = isIP(host) === 0 ? host : name
    return async () => ({
      secureContext: await current(),
      rejectUnauthorized: !tls.insecure,
      ...(servername === undefined || isIP(servername) !== 0 ? {} : { servername }),
      ...(tls.verify_hostname ? {} : { checkServerIdentity: () => undefined }),
    })
  }
}

/** Looks at the files for each connection; those that cannot be used are said once, and what was read before stays. */
async function watchCertificates(
  tls: TlsConfig,
  { name, log }: Pick<OutputContext, 'name' | 'log'>,
): Promise<() => Promise<SecureContext>> {
  let known = await versionOf(tls)
  let certificates = await readCertificates(tls)
  return async () => {
    const version = await versionOf(tls)
    if (version === known) return certificates
    known = version
    try {
      certificates = await readCertificates(tls)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      const { code, message, help } = new LogboomError('LB-S010', { key: `outputs.${name}.tls`, reason })
      log.warn({ code }, `${message}. ${help}`)
    }
    return certificates
  }
}

async function readCertificates(tls: TlsConfig): Promise<SecureContext> {
  const read = (file: string | undefined) => (file === undefined ? undefined : readFile(file))
  const [ca, cert, key] = await Promise.all([tls.ca_path, tls.cert_path, tls.private_key_path].map(read))
  const { private_key_passphrase: passphrase } = tls
  return createSecureContext({
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(passphrase === undefined ? {} : { passphrase }),
  })
}

/** Another text whenever one of the files is another. */
async function versionOf({ ca_path, cert_path, private_key_path }: TlsConfig): Promise<string> {
  const versions = [ca_path, cert_path, private_key_path].map(async (file) => {
    if (file === undefined) return ''
    const found = await stat(file).catch(() => undefined)
    return found === undefined ? 'gone' : `${found.ino} ${found.size} ${found.mtimeMs}`
  })
  return (await Promise.all(versions)).join()
}
