/**
 * One declaration per configuration field: its type, default, check, docs and JSON Schema all come from it.
 * A component declares its fields as plain data `as const satisfies Fields`; `ConfigOf` is the type of what it gets.
 */
import type { ErrorCode, ErrorDetails } from './errors.ts'

interface FieldCommon {
  /** One sentence for the docs and the JSON Schema. */
  readonly doc: string
  /**
   * The field may be left out and is then `undefined`. A field that is neither optional nor has a default is required.
   */
  readonly optional?: true
  readonly example?: string
}
export type Field =
  | (FieldCommon & { readonly kind: 'string'; readonly default?: string; readonly pattern?: string })
  /** Name of a file or folder; a relative one starts at the folder of the configuration file. Becomes absolute. */
  | (FieldCommon & { readonly kind: 'path' })
  /**
   * A string that is never shown; `<name>_file` names a file to read it from. `mayBeEmpty`: `""` is a value too, where
   * it is written so; a variable or a file that holds nothing is still a fault.
   */
  | (FieldCommon & { readonly kind: 'secret'; readonly default?: string; readonly mayBeEmpty?: true })
  | (FieldCommon & {
      readonly kind: 'integer'
      readonly default?: number
      readonly min?: number
      readonly max?: number
    })
  | (FieldCommon & { readonly kind: 'boolean'; readonly default?: boolean })
  /** `500ms`, `10s`, `5m`, `1h`, `7d`; becomes milliseconds. Default and bounds are written the same way. */
  | (FieldCommon & {
      readonly kind: 'duration'
      readonly default?: string
      readonly min?: string
      readonly max?: string
    })
  /** `512KiB`, `16MiB`, `2GiB`, or a number of bytes; becomes bytes. Default and bounds are written the same way. */
  | (FieldCommon & { readonly kind: 'size'; readonly default?: string; readonly min?: string; readonly max?: string })
  /** `host:port`, `:port`, `[::1]:port`; becomes a HostPort. With `unix`, `unix:/path` too; becomes an Address. */
  | (FieldCommon & { readonly kind: 'address'; readonly default?: string; readonly unix?: true })
  | (FieldCommon & { readonly kind: 'enum'; readonly of: readonly string[]; readonly default?: string })
  /** A list of strings; a single string is a list of one. */
  | (FieldCommon & { readonly kind: 'strings'; readonly default?: readonly string[] })
  /** A map of its own fields; left out, it is made of its fields' defaults. */
  | (FieldCommon & { readonly kind: 'group'; readonly fields: Fields })
  /** A list of maps. */
  | (FieldCommon & { readonly kind: 'groups'; readonly fields: Fields })

export type Fields = Readonly<Record<string, Field>>

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** A Unix socket, by the absolute path of its file. */
export interface UnixPath {
  readonly path: string
}

/** Where an input listens. */
export type Address = HostPort | UnixPath

type ValueOf<F extends Field> = F extends { kind: 'string' | 'secret' | 'path' }
  ? string
  : F extends { kind: 'integer' | 'duration' | 'size' }
    ? number
    : F extends { kind: 'boolean' }
      ? boolean
      : F extends { kind: 'address' }
        ? F extends { unix: true }
          ? Address
          : HostPort
        : F extends { kind: 'enum'; of: readonly (infer E)[] }
          ? E
          : F extends { kind: 'strings' }
            ? readonly string[]
            : F extends { kind: 'group'; fields: infer G extends Fields }
              ? ConfigOf<G>
              : F extends { kind: 'groups'; fields: infer G extends Fields }
                ? readonly ConfigOf<G>[]
                : never

/** What a component is given: every field by its name, checked, with defaults, in base units (ms, bytes). */
export type ConfigOf<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends { optional: true } ? ValueOf<F[K]> | undefined : ValueOf<F[K]>
}

/** A fault of a component's configuration that no field has alone. */
export interface ConfigFault {
  /** The key within the component, for instance `['clients', 0, 'network']`. */
  readonly key: readonly (string | number)[]
  readonly code: ErrorCode
  /** `key`, as it is written from the top of the file, is added. */
  readonly details: ErrorDetails
}

/** What every component says of itself, once. */
export interface Described<F extends Fields> {
  readonly name: string
  /** One sentence: what it is for. */
  readonly summary: string
  readonly fields: F
  /** A YAML line or block that shows it in use, as it stands under `inputs:` or `outputs:`; a test checks it. */
  readonly example: string
  /** Checks the fields together, once each is right by itself. */
  check?(config: ConfigOf<F>): readonly ConfigFault[]
}
