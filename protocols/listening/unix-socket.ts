/** The file of a Unix socket: one that a dead process left is replaced, one that is in use is not touched. */
import { chmod, lstat, unlink } from 'node:fs/promises'
import { connect, type Server } from 'node:net'

/** Owner and group may connect. */
export const UNIX_MODE = 0o660

/**
 * Listens on the path, with these permissions. The file is removed when the server is closed.
 * Rejects with the system's error, which is EADDRINUSE when another process answers there; or when the file is no
 * socket.
 */
export async function listenUnix(server: Server, path: string, mode: number): Promise<void> {
  try {
    await listen(server, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    if (!(await lstat(path)).isSocket()) throw new Error('there is a file that is no socket', { cause: error })
    if (!(await isStale(path))) throw error
    await unlink(path)
    await listen(server, path)
  }
  // Until here nobody but the owner could connect, by the usual umask.
  await chmod(path, mode)
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path, backlog: 511 }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** A socket that refuses has nobody behind it; any other answer is somebody's. */
function isStale(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path }, () => {
      probe.destroy()
      resolve(false)
    })
    probe.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })
}
