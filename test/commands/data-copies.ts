import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { call, keyferry, serve, temporaryFolders } from './keyferry.ts'

export const folders = temporaryFolders()
const mounts: string[] = []
let template: string
/** The root token of every copy. */
export let token: string

/** Makes the folder that all copies are of, with 60 keys, before the tests of the file. */
export function templateOfData(): void {
  beforeAll(async () => {
    template = join(folders.make(), 'data')
    const { stdout } = await keyferry(['init', '--data', template, '--format', 'json'])
    token = JSON.parse(stdout).root_token
    const { gateway, url } = await serve(['--data', template])
    for (let number = 0; number < 60; number++)
      await call(url, token, 'POST', `keymgmt/key/key-${number}`, { type: 'ecdsa-p256' })
    await gateway.stop()
  })
  afterAll(() => {
    for (const path of mounts) execFileSync('umount', [path])
    folders.removeAll()
  })
}

/** A copy of its own to break. */
export function copied(parent = folders.make()): string {
  const data = join(parent, 'data')
  cpSync(template, data, { recursive: true })
  chmodSync(data, 0o700)
  return data
}

export const make = (url: string, name: string) =>
  call(url, token, 'POST', `keymgmt/key/${name}`, { type: 'aes256-gcm96', deletion_allowed: true })
export const start = (data: string) => keyferry(['serve', '--data', data, '--listen', '127.0.0.1:0'])
export const read = (url: string, name: string) => call(url, token, 'GET', `keymgmt/key/${name}`)

/** A small disk; undefined where this user may not have one. */
export function smallDisk(megabytes: number): string | undefined {
  const path = folders.make()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0700`, 'tmpfs', path], { stdio: 'pipe' })
  } catch {
    return undefined
  }
  mounts.push(path)
  return path
}
