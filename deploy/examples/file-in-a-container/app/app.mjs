/** The application: a JSON line a second to its file. All that is asked of it is to open the file anew on SIGHUP. */
import { closeSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'

const { LOG_FILE = '/var/log/app/events.log', PID_FILE = '/var/log/app/app.pid', INTERVAL_MS = '1000' } = process.env

let file = openSync(LOG_FILE, 'a')
let i = 0
process.on('SIGHUP', () => {
  closeSync(file)
  file = openSync(LOG_FILE, 'a')
})
writeFileSync(PID_FILE, `${process.pid}\n`)

const timer = setInterval(() => {
  writeSync(file, `${JSON.stringify({ i })}\n`)
  i += 1
}, Number(INTERVAL_MS))

function stop() {
  clearInterval(timer)
  rmSync(PID_FILE, { force: true })
  process.exit()
}
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, stop)
