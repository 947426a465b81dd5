import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import { test } from 'node:test'
import {
  isDescriptorSpare,
  leavesFiles,
  openFilesLimit,
  readOpenFilesLimit,
} from '../../../protocols/listening/open-files.ts'

test('the limit is the soft one', () => {
  const lines = 'Max processes             96365                96365                processes \n'
  assert.equal(
    readOpenFilesLimit(`${lines}Max open files            1024                 524288               files\n`),
    1_024,
  )
  assert.equal(
    readOpenFilesLimit(`${lines}Max open files            unlimited            unlimited            files\n`),
    undefined,
  )
  assert.equal(readOpenFilesLimit(lines), undefined)
})

test('sixty-four files are kept, or a quarter of few', () => {
  for (const [descriptor, limit, isSpare] of [
    [959, 1_024, true],
    [960, 1_024, false],
    [47, 64, true],
    [48, 64, false],
    [19_000, 20_000, true],
  ] as const) {
    assert.equal(isDescriptorSpare(descriptor, limit), isSpare, `${descriptor} of ${limit}`)
  }
})

test('the descriptor of an accepted socket is known, and here far from the limit', async (t) => {
  assert.ok(openFilesLimit === undefined || openFilesLimit > 200)
  const server = createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  const accepted = new Promise<boolean>((resolve) =>
    server.on('connection', (socket) => {
      const { fd } = (socket as unknown as { _handle: { fd: number } })._handle
      resolve(fd > 2 && leavesFiles(socket))
      socket.destroy()
    }),
  )
  server.on('listening', () =>
    connect({ port: (server.address() as { port: number }).port, host: '127.0.0.1' }).resume(),
  )
  assert.equal(await accepted, true)
})
