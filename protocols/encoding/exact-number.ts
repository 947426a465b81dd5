/** Whether a number's text survives as a double: what the double prints denotes the same number. */

/** Any decimal of so many digits and a small exponent survives. [IEEE 754: 15 decimal digits in a binary64] */
const SURE_BYTES = 16

/** @param text a number in JSON. */
export function isExactDouble(text: string): boolean {
  if (text.length <= SURE_BYTES && !/[eE]/.test(text)) return true
  const value = Number(text)
  return Number.isFinite(value) && decimalOf(text) === decimalOf(String(value))
}

/** Sign, digits without zeros around them, and the power of ten of the last digit: one text for each number. */
function decimalOf(text: string): string {
  const [, sign, whole, fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text)!
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  const trimmed = digits.replace(/0+$/, '')
  if (trimmed === '') return `${sign}0`
  return `${sign}${trimmed}e${Number(exponent) - fraction.length + digits.length - trimmed.length}`
}
