/**
 * The least that a gateway of this make can cost: one Hono route with six middlewares on @hono/node-server, which asks SQLite whether
 * another process has changed the database and answers what a read of an rsa-2048 key answers, byte for byte as long. Prints where it
 * listens. `node bench/support/hono-route.ts FOLDER`
 */
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import type BetterSqlite3 from 'better-sqlite3'
import { Hono } from 'hono'

const Sqlite = createRequire(import.meta.url)('better-sqlite3') as typeof BetterSqlite3
const sqlite = new Sqlite(join(process.argv[2] ?? '.', 'bare.db'))
sqlite.pragma('journal_mode = WAL')
const dataVersion = sqlite.prepare('PRAGMA data_version').pluck()

const answer = JSON.stringify({ data: 'x'.repeat(870) })
const app = new Hono()
for (let i = 0; i < 6; i++) app.use('/v1/*', async (_, next) => await next())
app.get('/v1/keymgmt/key/:name', (context) => {
  dataVersion.get()
  return context.body(answer, 200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
})

const server = createServer(getRequestListener(app.fetch))
server.listen(0, '127.0.0.1', () =>
  console.log(`answers at http://127.0.0.1:${(server.address() as AddressInfo).port}`),
)
