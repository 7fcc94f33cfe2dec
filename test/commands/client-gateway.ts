import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { Keyferry, keyferry, launcher, temporaryFolders } from './keyferry.ts'

export const folders = temporaryFolders()

let gateway: Keyferry
/** The development gateway's addresses and credentials. */
export let dev: Record<string, string>
/** What its clients have in their environment. */
export let env: Record<string, string>
/** A home of its own, with nothing in it. */
export const home = () => folders.make()

/** Starts a development gateway before the tests of the file, and stops it after them. */
export function developmentGateway(): void {
  beforeAll(async () => {
    const file = join(folders.make(), 'dev.env')
    gateway = new Keyferry(['dev', '--listen', '127.0.0.1:0', '--env-file', file])
    await gateway.says('stdout', /Ctrl-C stops it/)
    dev = Object.fromEntries([...readFileSync(file, 'utf8').matchAll(/^([A-Z_]+)='(.*)'$/gm)].map(([, k, v]) => [k, v]))
    env = { VAULT_ADDR: dev.VAULT_ADDR ?? '', VAULT_TOKEN: dev.VAULT_TOKEN ?? '', HOME: home() }
  })
  afterAll(async () => {
    await gateway?.stop()
    folders.removeAll()
  })
}

export const run = (args: string[], more: Record<string, string> = {}) => keyferry(args, { env: { ...env, ...more } })
/** With something on standard input, which `keyferry` of the other tests never has. */
export function piped(args: string[], input: string, more: Record<string, string> = {}) {
  const options = { input, encoding: 'utf8', env: { PATH: process.env.PATH ?? '', ...env, ...more } } as const
  return spawnSync(process.execPath, ['--', launcher, ...args], options)
}
export const written = (path: string) => ({ code: 0, stderr: '', stdout: `Success! Data written to: ${path}\n` })
