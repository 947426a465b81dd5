import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { FIRST_BYTES, FirstBytes, recognise, type Spoken } from '../../../protocols/listening/first-bytes.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
const text = (line: string) => Buffer.from(line, 'latin1')

const KNOWN: readonly [string, Spoken, Uint8Array][] = [
  ['a ClientHello of TLS 1.3', 'tls', hex('16 03 01 02 00 01 00 01 fc 03 03')],
  ['GET', 'http', text('GET / HTTP/1.1\r\n')],
  ['POST', 'http', text('POST /docker.web HTTP/1.1\r\n')],
  ['OPTIONS', 'http', text('OPTIONS * HTTP/1.1\r\n')],
  ['the preface of HTTP/2', 'http', text('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')],
  ['SSH', 'ssh', text('SSH-2.0-OpenSSH_9.2p1\r\n')],
  ['PROXY, version 1', 'proxy', text('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n')],
  ['PROXY, version 2', 'proxy', hex('0d0a0d0a000d0a515549540a 21 11 000c')],
  ['Message mode', 'forward', hex('94 ac 616263646566313233343536 d2 6553f100 80 80')],
  ['a long tag', 'forward', hex('93 d9 40 6161')],
  ['a binary tag', 'forward', hex('92 c4 01 61 90')],
  ['a PING', 'forward', hex('96 a4 50494e47')],
  ['an object', 'json', text('{"message":"x"}\n')],
  ['an array', 'json', text('["tag",1,{}]')],
  ['an object after white space', 'json', text('\r\n \t{"a":1}')],
  ['a chunk of GELF', 'gelf-chunk', hex('1e 0f 0102030405060708 00 02')],
  ['gzip', 'gzip', gzipSync('{}')],
  ['zlib, level 0', 'zlib', deflateSync('{}', { level: 0 })],
  ['zlib, level 6', 'zlib', deflateSync('{}')],
  ['zlib, level 9', 'zlib', deflateSync('{}', { level: 9 })],
  ['RFC 3164', 'syslog', text('<13>Nov 25 12:03:04 host app: text')],
  ['octets counted', 'syslog', text('57 <165>1 2003-10-11T22:14:15.003Z host app - - - text')],
]
const UNKNOWN: readonly [string, Uint8Array][] = [
  ['nothing', text('')],
  ['one byte', text('G')],
  ['a word', text('GETTING on')],
  ['words that begin with x', text('x axis')],
  ['an array of numbers', hex('93 01 02 03')],
  ['a PRI without digits', text('<abc> text')],
  ['a TLS record that is no ClientHello', hex('16 03 03 00 10 02')],
  ['zeros', new Uint8Array(64)],
]

describe('the first bytes', () => {
  for (const [name, spoken, bytes] of KNOWN) it(`${name}: ${spoken}`, () => assert.equal(recognise(bytes), spoken))
  for (const [name, bytes] of UNKNOWN) it(`${name}: unknown`, () => assert.equal(recognise(bytes), undefined))

  it('are the same however they are cut', () => {
    for (const [name, spoken, bytes] of KNOWN) {
      for (let cut = 0; cut <= bytes.length; cut += 1) {
        const first = new FirstBytes()
        const found = [bytes.subarray(0, cut), bytes.subarray(cut)].map((read) => first.look(read))
        assert.deepEqual(found.filter(Boolean), [spoken], `${name} cut at ${cut}`)
      }
      const first = new FirstBytes()
      const found = [...bytes].map((byte) => first.look(Uint8Array.of(byte)))
      assert.deepEqual(found.filter(Boolean), [spoken], `${name} byte by byte`)
    }
  })

  it('are looked at no further than needed, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        assert.equal(recognise(bytes), recognise(bytes.subarray(0, FIRST_BYTES)))
      }),
    )
  })
})
