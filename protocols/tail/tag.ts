/** The tag of a file's events. */

/** `*` becomes the path with dots for slashes: `tail.*` → `tail.var.log.app.log`. [fluentd in_tail, `tag`] */
export function tagOf(tag: string, path: string): string {
  const star = tag.indexOf('*')
  if (star === -1) return tag
  const dotted = path.replaceAll('/', '.').replace(/\.+/g, '.').replace(/^\./, '')
  return `${tag.slice(0, star)}${dotted}${tag.slice(star + 1)}`
}
