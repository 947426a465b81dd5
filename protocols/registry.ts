/**
 * Every input protocol, by type. Adding one is one line here; its module exports it as `protocol` and is
 * imported where it is used.
 */
export const PROTOCOLS: Readonly<Record<string, string>> = {
  forward: new URL('./forward/forward.ts', import.meta.url).href,
  gelf: new URL('./gelf/gelf.ts', import.meta.url).href,
  http: new URL('./http/http.ts', import.meta.url).href,
  json: new URL('./json/json.ts', import.meta.url).href,
  syslog: new URL('./syslog/syslog.ts', import.meta.url).href,
  tail: new URL('./tail/tail.ts', import.meta.url).href,
}
