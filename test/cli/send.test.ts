import assert from 'node:assert/strict'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, it } from 'node:test'
import { pack, Unpackr } from 'msgpackr'
import { register } from '../../server/cli/send.ts'
import { LogboomError } from '../../server/core/errors.ts'
import { FakeTerminal, run, typedInput } from './fake-terminal.ts'

type Message = [string, Buffer, { size: number; chunk?: string }]
type Answer = (socket: Socket, message: Message) => unknown
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'bigint' })
const acknowledge: Answer = (socket, [, , { chunk }]) => socket.write(pack({ ack: chunk }))

let server: Server | undefined
const sockets = new Set<Socket>()
afterEach(() => {
  for (const socket of sockets) socket.destroy()
  server?.close()
})

/** A forward input that keeps what it is sent and answers as it is told. */
async function listen(answer: Answer, greet: (socket: Socket) => unknown = () => {}) {
  const messages: Message[] = []
  server = createServer((socket) => {
    sockets.add(socket)
    greet(socket)
    let received = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      received = Buffer.concat([received, bytes])
      try {
        const message = unpackr.unpack(received) as Message
        received = Buffer.alloc(0)
        messages.push(message)
        answer(socket, message)
      } catch {
        // The rest of the message has not come yet.
      }
    })
  })
  const listening = server
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
  return { messages, port: String((listening.address() as AddressInfo).port) }
}

/** Entries `[EventTime, record]`: the time is told by its bytes, the record by msgpackr. */
function entriesOf([, packed]: Message): { seconds: number; record: unknown }[] {
  const entries: { seconds: number; record: unknown }[] = []
  let at = 0
  while (at < packed.length) {
    assert.equal(packed.toString('hex', at, at + 3), '92d700')
    const seconds = packed.readUInt32BE(at + 3)
    let taken = 0
    unpackr.unpackMultiple(packed.subarray(at + 11), (record: unknown, _start?: number, end?: number) => {
      entries.push({ seconds, record })
      taken = end!
      return false
    })
    at += 11 + taken
  }
  return entries
}

const send = (terminal: FakeTerminal, ...words: string[]) => run(register, terminal, ['send', ...words])

describe('what is sent', () => {
  it('is a message a line, with the time and a chunk id', async () => {
    const { messages, port } = await listen(acknowledge)
    const terminal = new FakeTerminal(['hello\nwörld\r\n', '\nlast'])
    const beforeS = Math.floor(Date.now() / 1000)
    await send(terminal, 'demo.app', '--port', port)
    const entries = messages.flatMap(entriesOf)
    assert.deepEqual(
      entries.map(({ record }) => record),
      [{ message: 'hello' }, { message: 'wörld' }, { message: '' }, { message: 'last' }],
    )
    assert.ok(entries.every(({ seconds }) => seconds >= beforeS && seconds <= beforeS + 60))
    assert.ok(messages.every(([tag, , { chunk }]) => tag === 'demo.app' && chunk!.length === 24))
    assert.equal(
      messages.reduce((sum, [, , { size }]) => sum + size, 0),
      4,
    )
    assert.equal(terminal.said, `4 events sent to 127.0.0.1:${port}, all acknowledged\n`)
    assert.equal(terminal.printed, '')
  })
  it('is the record of the line with --json, int64 exact', async () => {
    const { messages, port } = await listen(acknowledge)
    const terminal = new FakeTerminal(['{"n":9223372036854775807,"f":1.5,"o":{"l":[1,null]}}\n\n{}\n'])
    await send(terminal, 't', '--json', '--port', port)
    assert.deepEqual(
      messages.flatMap(entriesOf).map(({ record }) => record),
      [{ n: 9223372036854775807n, f: 1.5, o: { l: [1, null] } }, {}],
    )
  })
  it('is whole where a character is cut between two pieces', async () => {
    const { messages, port } = await listen(acknowledge)
    const bytes = Buffer.from('日本\n')
    const input = typedInput()
    const done = send(new FakeTerminal(input), 't', '--port', port)
    input.write(bytes.subarray(0, 4))
    input.end(bytes.subarray(4))
    await done
    assert.deepEqual(messages.flatMap(entriesOf)[0]?.record, { message: '日本' })
  })
  it('goes out as it is typed', async () => {
    const input = typedInput()
    const first = Promise.withResolvers<void>()
    const { messages, port } = await listen((socket, message) => {
      acknowledge(socket, message)
      first.resolve()
    })
    const done = send(new FakeTerminal(input), 't', '--port', port)
    input.write('one\n')
    await first.promise
    input.end('two\n')
    await done
    assert.equal(messages.length, 2)
  })
  it('carries no chunk id with --no-ack', async () => {
    const { messages, port } = await listen(() => {})
    const terminal = new FakeTerminal(['x\n'])
    await send(terminal, 't', '--no-ack', '--port', port)
    assert.equal(messages[0]![2].chunk, undefined)
    assert.match(terminal.said, /no ack asked for/)
  })
})

describe('what goes wrong', () => {
  const fails = async (done: Promise<unknown>, code: string, exit: number) => {
    let message = ''
    await assert.rejects(done, (error) => {
      assert.ok(error instanceof LogboomError, String(error))
      assert.deepEqual([error.code, error.exitCode], [code, exit])
      message = error.message
      return true
    })
    return message
  }
  for (const [what, answer, said] of [
    ['the connection is closed', (socket) => socket.end(), /closed the connection/],
    ['another chunk is acknowledged', (socket) => socket.write(pack({ ack: 'other' })), /not an ack/],
    ['something else is answered', (socket) => socket.write('HTTP/1.1 400 Bad Request'), /not an ack/],
    ['no ack comes', () => {}, /no ack within 1 s/],
  ] as [string, Answer, RegExp][]) {
    it(`ends with 1 when ${what}`, async () => {
      const { port } = await listen(answer)
      const message = await fails(send(new FakeTerminal(['x\n']), 't', '--port', port, '--timeout', '1'), 'LB-S009', 1)
      assert.match(message, /^0 of 1 events/)
      assert.match(message, said)
    })
  }
  it('names the shared key when it is asked for one', async () => {
    const { port } = await listen(
      () => {},
      (socket) => socket.write(pack(['HELO', {}])),
    )
    const message = await fails(send(new FakeTerminal(['x\n']), 't', '--port', port, '--timeout', '1'), 'LB-S009', 1)
    assert.match(message, /shared_key/)
  })
  it('says how many were acknowledged before', async () => {
    let count = 0
    const { port } = await listen((socket, message) => (++count === 1 ? acknowledge(socket, message) : socket.end()))
    const message = await fails(send(new FakeTerminal(['a\nb\n', 'c\n']), 't', '--port', port), 'LB-S009', 1)
    assert.match(message, /^2 of 3 events/)
  })
  it('ends with 69 when nobody listens', async () => {
    await fails(send(new FakeTerminal(['x\n']), 't', '--port', '1'), 'LB-S005', 69)
  })
  for (const [what, line] of [
    ['is no JSON', '{'],
    ['is no object', '[1]'],
    ['is too long', 'x'.repeat(1_100_000)],
  ] as const) {
    it(`ends with 64 when a line ${what}`, async () => {
      const { port } = await listen(acknowledge)
      const terminal = new FakeTerminal(['{"a":1}\n', line])
      await fails(send(terminal, 't', '--json', '--port', port), 'LB-S006', 64)
      assert.equal(terminal.said, '1 event acknowledged before that\n')
    })
  }
  for (const words of [
    ['', '--port', '1'],
    ['x'.repeat(1_025), '--port', '1'],
    ['t', '--port', '70000'],
    ['t', '--timeout', '0'],
  ]) {
    it(`refuses ${words.join(' ').slice(0, 30)}`, async () => {
      await fails(send(new FakeTerminal(), ...words), 'LB-S006', 64)
    })
  }
})
