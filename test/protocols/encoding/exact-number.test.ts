import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isExactDouble } from '../../../protocols/encoding/exact-number.ts'

const EXACT = ['0', '-0', '0.1', '1e22', '1E+2', '123456789012345', '0.30000000000000004', '5e-324', '1.50', '100e-2']
for (const text of EXACT) test(`${text} survives`, () => assert.equal(isExactDouble(text), true))

const INEXACT = ['1e400', '-1E+400', '1e-400', '0.1234567890123456789', '123456789012345678901234567890', '1e-324']
for (const text of INEXACT) test(`${text} does not`, () => assert.equal(isExactDouble(text), false))

test('what a double prints survives', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      assert.ok(isExactDouble(String(value)))
    }),
  )
})
