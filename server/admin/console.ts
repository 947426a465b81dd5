/** Serves the built console page at `/`, or says how to build it. The page's own code is in `server/console/`. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'

export const CONSOLE_DIRECTORY = join(import.meta.dirname, '..', 'console', 'dist')

const UNBUILT = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Logboom</title>
<h1>Logboom</h1>
<p>The console is not built. Run <code>npm run build:console</code> and start again.</p>
<p>Meanwhile: <code>logboom status</code>, <code>logboom tail</code>, <code>logboom query WORDS</code>.</p>
</html>
`

/** The page is open even where a token is set: it holds no data, and it is what asks for the token. */
export async function serveConsole(app: FastifyInstance, directory: string): Promise<void> {
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, open: true }
    route.schema = { ...route.schema, hide: true }
  })
  if (!existsSync(join(directory, 'index.html'))) {
    app.get('/', async (_request, reply) => reply.type('text/html; charset=utf-8').send(UNBUILT))
    return
  }
  await app.register(fastifyStatic, {
    root: directory,
    // One route per file that is there, so that nothing else can be asked for.
    wildcard: false,
    cacheControl: false,
    setHeaders: (reply, path) => {
      // Names under assets/ carry a hash of their content.
      const forever = path.startsWith(join(directory, 'assets'))
      void reply.header('cache-control', forever ? 'public, max-age=31536000, immutable' : 'no-cache')
    },
  })
}
