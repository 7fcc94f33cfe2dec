import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Keyferry, temporaryFolders } from '../commands/keyferry.ts'

/** A gateway started as its users start it, with the embedded emulator, and what `--env-file` says of it. */
export interface DevGateway {
  env: Record<string, string>
  close(): Promise<void>
}

/** Starts `keyferry dev` on a free port and reads its env file. */
export async function devGateway(): Promise<DevGateway> {
  const folders = temporaryFolders()
  const file = join(folders.make(), 'dev.env')
  const gateway = new Keyferry(['dev', '--dev-root-token-id', 'root', '--listen', '127.0.0.1:0', '--env-file', file])
  await gateway.says('stdout', /VAULT_ADDR/)
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  const env = Object.fromEntries(
    lines.map((line) => {
      const [, name = '', value = ''] = /^([A-Z_]+)='(.*)'$/.exec(line) ?? []
      return [name, value]
    }),
  )
  return {
    env,
    close: async () => {
      await gateway.stop()
      folders.removeAll()
    },
  }
}
