/** Rows of text as columns, for people. */

/** `12,345`. */
export const whole = (value: number) => value.toLocaleString('en')

/** Columns as wide as their widest cell; numbers stand at the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const isNumber = (text: string) => /^[\d,.-]+$/.test(text)
  const cell = (text: string, column: number) =>
    isNumber(text) ? text.padStart(widths[column]!) : text.padEnd(widths[column]!)
  return rows.map((row) => `  ${row.map(cell).join('  ').trimEnd()}\n`).join('')
}
