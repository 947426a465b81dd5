/**
 * Loaded into the program before itself (`node --import`): throws what nobody catches, some time after the start, on
 * the main thread or on those of the outputs. LOGBOOM_TEST_THROW is `main` or `thread`, and `exception` or `rejection`.
 */
import { isMainThread } from 'node:worker_threads'

const AFTER_MS = 2_500
const [where, what] = (process.env.LOGBOOM_TEST_THROW ?? '').split(' ')

if ((where === 'main') === isMainThread) {
  setTimeout(() => {
    const error = new Error(`asked to throw a ${what}`)
    if (what === 'exception') throw error
    void Promise.reject(error)
  }, AFTER_MS).unref()
}
