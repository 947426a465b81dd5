/**
 * What a TLS listener shows and asks for: its configuration, and the certificates, which are read again when their
 * files change. The sockets are the listener's matter.
 */
import { unwatchFile, watchFile } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type TlsOptions } from 'node:tls'
import { LogboomError } from '../../server/core/errors.ts'
import type { ConfigFault, ConfigOf, Field } from '../../server/core/fields.ts'
import type { Logger } from '../../server/core/log.ts'

/** The configuration field of every stream input: `config.tls` is undefined where it is left out, and then plain. */
export const tlsFields = {
  kind: 'group',
  optional: true,
  doc: 'Speak TLS (1.2 or newer); where it is left out, connections are plain.',
  fields: {
    cert_path: {
      kind: 'path',
      doc: 'PEM file of the certificate that clients see, with those between it and its root.',
      example: '/etc/logboom/cert.pem',
    },
    private_key_path: { kind: 'path', doc: 'PEM file of its private key.', example: '/etc/logboom/key.pem' },
    private_key_passphrase: { kind: 'secret', optional: true, doc: 'Passphrase of that key, if it has one.' },
    ca_path: {
      kind: 'path',
      optional: true,
      doc: 'PEM file of the authorities whose client certificates are taken, for `client_cert_auth`.',
      example: '/etc/logboom/clients-ca.pem',
    },
    client_cert_auth: {
      kind: 'boolean',
      default: false,
      doc: 'Whether clients must show a certificate that an authority of `ca_path` signed.',
    },
  },
} as const satisfies Field

export type TlsConfig = ConfigOf<(typeof tlsFields)['fields']>

/** How often the files are looked at, in ms. */
const WATCH_MS = 1_000

/** Without `ca_path` every certificate of a public authority would do, and that is no authentication. */
export function checkTls(tls: TlsConfig | undefined): ConfigFault[] {
  if (tls === undefined || !tls.client_cert_auth || tls.ca_path !== undefined) return []
  const details = { other: 'ca_path', why: 'It names the authorities whose client certificates are taken.' }
  return [{ key: ['tls', 'client_cert_auth'], code: 'LB-C014', details }]
}

/**
 * Reads the files. `key`: where the configuration of the listener stands, for errors.
 * Rejects with LogboomError LB-S010 when one cannot be read, or they do not fit.
 */
export async function readCertificates(tls: TlsConfig, key: string): Promise<TlsOptions> {
  try {
    const [cert, privateKey, ca] = await Promise.all([
      readFile(tls.cert_path),
      readFile(tls.private_key_path),
      tls.ca_path === undefined ? undefined : readFile(tls.ca_path),
    ])
    const options: TlsOptions = { cert, key: privateKey, minVersion: 'TLSv1.2' }
    if (ca !== undefined) options.ca = ca
    if (tls.private_key_passphrase !== undefined) options.passphrase = tls.private_key_passphrase
    if (tls.client_cert_auth) Object.assign(options, { requestCert: true, rejectUnauthorized: true })
    createSecureContext(options)
    return options
  } catch (error) {
    const reason = (error as Error).message
    throw new LogboomError('LB-S010', { key: `${key}.tls`, reason }, { cause: error })
  }
}

export interface CertificateWatch {
  /** Reads the files now; what cannot be used is said in the log, and what was read before stays. */
  reload(): Promise<void>
  close(): void
}

export interface WatchOptions {
  readonly key: string
  readonly log: Logger
  readonly use: (options: TlsOptions) => void
}

/** Gives the certificates to `use` whenever a file has changed: renewed ones need no restart. */
export function watchCertificates(tls: TlsConfig, { key, log, use }: WatchOptions): CertificateWatch {
  const files = [tls.cert_path, tls.private_key_path, tls.ca_path].filter((file) => file !== undefined)
  const reload = async () => {
    try {
      use(await readCertificates(tls, key))
      log.info({ key: `${key}.tls` }, 'the certificates were read again')
    } catch (error) {
      // A renewal writes one file after the other: until they fit, the old ones are shown.
      log.warn({ reason: (error as Error).message }, 'the certificates that were read before stay in use')
    }
  }
  const changed = () => void reload()
  for (const file of files) watchFile(file, { interval: WATCH_MS, persistent: false }, changed)
  return {
    reload,
    close: () => {
      for (const file of files) unwatchFile(file, changed)
    },
  }
}
