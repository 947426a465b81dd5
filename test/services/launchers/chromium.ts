/** A real Chromium for the tests of the console. */
import { findProgram, needPrograms } from './availability.ts'

/** What playwright-core's `chromium.launch` is given. LOGBOOM_TEST_CHROMIUM names another program. */
export function chromiumOptions(): { executablePath: string; args: string[] } {
  const args = ['--no-sandbox', '--disable-dev-shm-usage']
  const named = process.env.LOGBOOM_TEST_CHROMIUM
  if (named !== undefined) return { executablePath: named, args }
  needPrograms({ chromium: 'chromium' })
  return { executablePath: findProgram('chromium')!, args }
}
