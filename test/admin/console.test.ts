import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { type Admin, startAdmin } from '../../server/admin/admin.ts'
import { fakeSources } from './fake-sources.ts'

let consoleDirectory: string
let admin: Admin

before(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'logboom-admin-'))
  consoleDirectory = join(folder, 'dist')
  await mkdir(join(consoleDirectory, 'assets'), { recursive: true })
  await writeFile(join(folder, 'secret.txt'), 'secret')
  await writeFile(join(consoleDirectory, 'index.html'), '<p>page')
  await writeFile(join(consoleDirectory, 'assets', 'index-abc.js'), 'let a')
  const listen = { host: '127.0.0.1', port: 0 }
  admin = await startAdmin({ listen, token: 'sesame', consoleDirectory }, fakeSources().sources)
})
after(async () => {
  await admin.close()
  await rm(join(consoleDirectory, '..'), { recursive: true })
})

/** Sends the path as it is: fetch would tidy it up. */
function get(path: string): Promise<{ status: number; headers: Record<string, unknown>; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: admin.port, path }, async (response) => {
      const body = (await response.toArray()).join('')
      resolve({ status: response.statusCode!, headers: response.headers, body })
    })
    asked.on('error', reject).end()
  })
}

it('serves the page without the token, to be asked for anew each time', async () => {
  const { status, headers, body } = await get('/')
  assert.deepEqual([status, headers['cache-control'], body], [200, 'no-cache', '<p>page'])
  assert.match(String(headers['content-security-policy']), /^default-src 'none'/)
})
it('lets the parts with a hash in their name be kept', async () => {
  const { status, headers } = await get('/assets/index-abc.js')
  assert.deepEqual([status, headers['cache-control']], [200, 'public, max-age=31536000, immutable'])
  assert.match(String(headers['content-type']), /javascript/)
})
for (const path of [
  '/../secret.txt',
  '/assets/../../secret.txt',
  '/%2e%2e/secret.txt',
  '/assets/%2e%2e%2f%2e%2e%2fsecret.txt',
  '/assets/',
]) {
  it(`does not serve ${path}`, async () => {
    const { status, body } = await get(path)
    assert.ok(status >= 400, String(status))
    assert.equal(body.includes('secret'), body.includes('secret.txt'))
  })
}
