/**
 * Loaded into the program before itself (`node --import`): throws what nobody catches, when the file of that name is
 * there, on the main thread or on one of the outputs. LOGBOOM_TEST_THROW is `main` or `thread`, `exception` or
 * `rejection`, and the file, which is taken away first: it throws once.
 */
import { unlinkSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

const LOOK_MS = 50
const [where, what, sign] = (process.env.LOGBOOM_TEST_THROW ?? '').split(' ')

function isAsked(): boolean {
  try {
    unlinkSync(sign!)
    return true
  } catch {
    return false
  }
}

if ((where === 'main') === isMainThread) {
  const timer = setInterval(() => {
    if (!isAsked()) return
    clearInterval(timer)
    const error = new Error(`asked to throw a ${what}`)
    if (what === 'exception') throw error
    void Promise.reject(error)
  }, LOOK_MS).unref()
}
