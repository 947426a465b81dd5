import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  formatJson,
  type JsonObject,
  lineText,
  mainText,
  parseJson,
  visibleText,
} from '../../server/core/event-text.ts'

describe('exact JSON', () => {
  for (const text of [
    '{"a":9223372036854775807,"b":-9223372036854775808,"c":18446744073709551615}',
    '{"a":1,"b":1.5,"c":"9223372036854775807","d":[9007199254740993,null,true]}',
    '{"__proto__":{"x":1}}',
  ]) {
    it(`keeps ${text}`, () => assert.equal(formatJson(parseJson(text)), text))
  }
  it('gives a bigint only where a double cannot hold the number', () => {
    assert.deepEqual(parseJson('[9007199254740991,9007199254740993,1e300]'), [
      9007199254740991,
      9007199254740993n,
      1e300,
    ])
  })
  it('indents', () => assert.equal(formatJson(parseJson('{"a":[1]}'), 2), '{\n  "a": [\n    1\n  ]\n}'))
})

describe('the main text', () => {
  for (const [document, text] of [
    [{ message: 'm', log: 'l', short_message: 's' }, 'l'],
    [{ message: 'm', short_message: 's' }, 'm'],
    [{ short_message: 's' }, 's'],
    [{ log: '', message: 'm' }, 'm'],
    [{ log: 5, message: 'm' }, 'm'],
    [{ a: 1, tag: 't', '@timestamp': 'x', sequence: 1, big: 9007199254740993n }, '{"a":1,"big":9007199254740993}'],
    [{}, '{}'],
  ] as [JsonObject, string][]) {
    it(`is ${text}`, () => assert.equal(mainText(document), text))
  }
})

describe('hostile text', () => {
  for (const [what, text, shown] of [
    ['NUL and bell', 'a\0b\x07', 'a␀b␇'],
    ['DEL and C1', '\x7f\x85\x9b', '␡⟨0085⟩⟨009B⟩'],
    ['a direction override', 'evil\u202etxt.exe', 'evil⟨202E⟩txt.exe'],
    ['isolates and marks', '\u2066\u200f\u061c', '⟨2066⟩⟨200F⟩⟨061C⟩'],
    ['line separators', '\u2028\u2029', '⟨2028⟩⟨2029⟩'],
    ['half a surrogate pair', 'a\ud800b', 'a⟨D800⟩b'],
    ['what is only foreign', 'שלום 日本 😀', 'שלום 日本 😀'],
  ] as const) {
    it(`shows ${what}`, () => assert.equal(visibleText(text), shown))
  }
  for (const [what, text, line] of [
    ['colours', '\x1b[31;1mred\x1b[0m', 'red'],
    ['a cursor movement', 'a\x1b[2J\x1b[Hb', 'ab'],
    ['an 8-bit sequence', '\x9b31mred', 'red'],
    ['a window title', '\x1b]0;owned\x07text', 'text'],
    ['a sequence that does not end', '\x1b[31', '␛[31'],
    ['line ends', 'one\r\ntwo\n', 'one␍␊two'],
    ['tabs', 'a\tb', 'a  b'],
  ] as const) {
    it(`takes out ${what} of a line`, () => assert.equal(lineText(text), line))
  }
  it('takes linear time for many beginnings of sequences', () => {
    assert.equal(lineText('\x1b]'.repeat(20_000)).length, 40_000)
  })
})
