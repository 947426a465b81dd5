/** Columns of text on a terminal. */

export const whole = (value: number) => value.toLocaleString('en')

/** Columns as wide as their widest cell; numbers stand at the right. The first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const isNumber = (text: string) => /^[\d,.-]+$/.test(text)
  const cell = (text: string, column: number) =>
    isNumber(text) ? text.padStart(widths[column]!) : text.padEnd(widths[column]!)
  return rows.map((row) => `  ${row.map(cell).join('  ').trimEnd()}\n`).join('')
}
