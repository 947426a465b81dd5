import assert from 'node:assert/strict'
import { it } from 'node:test'
import { tagOf, timeOf } from '../../../protocols/http/target.ts'

const rules = { tag: undefined, add_tag_prefix: undefined }

it('keeps dots and encoded slashes of a path as they are: what an output does with a tag is its own matter', () => {
  assert.equal(tagOf('/../etc/%2e%2e%2fpasswd', rules).toString(), '...etc.../passwd')
})

it('refuses a path that is not encoded in UTF-8', () => {
  for (const path of ['/%ff', '/%zz', '/%']) assert.throws(() => tagOf(path, rules), { status: 400, code: 'LB-H003' })
})

it('reads nine digits of a second, and no more', () => {
  assert.deepEqual(timeOf('5.1234567899'), { seconds: 5, nanoseconds: 123_456_789 })
  assert.deepEqual(timeOf('4294967295'), { seconds: 4_294_967_295, nanoseconds: 0 })
  for (const text of ['4294967296', '-1', '1e3', '', 'NaN', '2026-11-25']) {
    assert.throws(() => timeOf(text), { status: 400, code: 'LB-H004' }, text)
  }
})
