import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from './client.ts'
import { keyferry, run, startAndRead } from './program.ts'

const folders = new Set<string>()
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** A folder that is gone when the bench ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'keyferry-bench-'))
  folders.add(folder)
  return folder
}

/** A data folder as `keyferry init` makes it, and its root token. */
export async function newDataFolder(): Promise<{ data: string; token: string }> {
  const data = join(temporaryFolder(), 'data')
  const printed = await run(keyferry('init', '--data', data, '--format', 'json'))
  return { data, token: (JSON.parse(printed) as { root_token: string }).root_token }
}

/** A gateway as people run it: `keyferry serve`, durable, with the defaults; in a process of its own. */
export interface Gateway {
  url: string
  token: string
  pid: number
  client: Client
  stop(): Promise<void>
}

/** Starts one on a new data folder. `settings`: what its configuration file says. */
export async function startGateway(settings?: unknown): Promise<Gateway> {
  const { data, token } = await newDataFolder()
  const args = ['serve', '--data', data, '--listen', '127.0.0.1:0']
  if (settings !== undefined) {
    const file = join(temporaryFolder(), 'keyferry.json')
    writeFileSync(file, JSON.stringify(settings))
    args.push('--config', file)
  }
  const { found: url, pid, stop } = await startAndRead(keyferry(...args), (line) => /answers at (\S+)/.exec(line)?.[1])
  const client = new Client(url, token)
  return {
    url,
    token,
    pid,
    client,
    stop: async () => {
      client.close()
      await stop()
    },
  }
}
