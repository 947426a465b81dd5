import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readListenFds } from '../../../protocols/listening/listen-fds.ts'
import { readTcpTable, readUdpAddresses, readUnixTable } from '../../../protocols/listening/socket-tables.ts'

test('descriptors begin at 3 and have the names of their units', () => {
  const env = { LISTEN_PID: '7', LISTEN_FDS: '3', LISTEN_FDNAMES: 'logboom.socket:gelf' }
  assert.deepEqual(readListenFds(env, 7), [
    { fd: 3, name: 'logboom.socket' },
    { fd: 4, name: 'gelf' },
    { fd: 5, name: '' },
  ])
  assert.deepEqual(readListenFds({ LISTEN_PID: '7', LISTEN_FDS: '1' }, 7), [{ fd: 3, name: '' }])
})

test('what was meant for another process is left alone', () => {
  for (const env of [{}, { LISTEN_FDS: '1' }, { LISTEN_PID: '8', LISTEN_FDS: '1' }, { LISTEN_PID: '7' }]) {
    assert.deepEqual(readListenFds(env, 7), [], JSON.stringify(env))
  }
})

test('a count that is none is refused with what was found', () => {
  for (const found of ['', '-1', '1.5', 'two', '1025', '99999999']) {
    assert.throws(() => readListenFds({ LISTEN_PID: '7', LISTEN_FDS: found }, 7), {
      code: 'LB-S013',
      message: `LISTEN_FDS is \`${found}\`, not a number of sockets up to 1024`,
    })
  }
})

const HEADING = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'
const row = (local: string, state: string, inode: number) =>
  `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0000 100 0`

test('of the TCP tables the sockets that listen, in both families', () => {
  const ipv4 = [HEADING, row('0100007F:5EA0', '0A', 20994), row('0100007F:5EA0', '01', 20995), ''].join('\n')
  assert.deepEqual(
    [...readTcpTable(ipv4)],
    [['20994', { kind: 'stream', address: { host: '127.0.0.1', port: 24224 } }]],
  )
  const every = '0'.repeat(32)
  const ipv6 = [row(`${every}:2FA9`, '0A', 1), row('B80D0120000000000000000001000000:0050', '0A', 2)].join('\n')
  const addresses = [...readTcpTable(ipv6).values()].map(({ address }) => address)
  assert.deepEqual(addresses, [
    { host: '::', port: 12201 },
    { host: '2001:db8::1', port: 80 },
  ])
})

test('of the UDP tables every socket', () => {
  const text = [HEADING, row('00000000:2FA9', '07', 5)].join('\n')
  assert.deepEqual(
    [...readUdpAddresses(text)],
    [['5', { kind: 'datagram', address: { host: '0.0.0.0', port: 12201 } }]],
  )
})

test('of the Unix sockets the streams that listen at a path', () => {
  const text = [
    'Num       RefCount Protocol Flags    Type St Inode Path',
    '000000001a8bb8bf: 00000002 00000000 00010000 0001 01 8139050 /run/log boom.sock',
    '000000001a8bb8c0: 00000003 00000000 00000000 0001 03 8139051 /run/logboom.sock',
    '000000001a8bb8c1: 00000002 00000000 00000000 0002 01 8139052 /dev/log',
    '000000001a8bb8c2: 00000002 00000000 00010000 0001 01 8139053 @abstract',
    '000000001a8bb8c3: 00000002 00000000 00010000 0001 01 8139054',
    '',
  ].join('\n')
  assert.deepEqual([...readUnixTable(text)], [['8139050', { kind: 'stream', address: { path: '/run/log boom.sock' } }]])
})
