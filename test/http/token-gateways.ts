import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { type TestCore, testCore } from '../support/gateway.ts'
import { type Gateway, gateway } from './gateway.ts'
import { admin, as, good, type Send } from './tenants.ts'

const folder = mkdtempSync(join(tmpdir(), 'keyferry-tokens-'))
/** How much later than it is both think that it is, in ms. */
export const clock = { late: 0 }
export let vault: Gateway
/** Another process on the same database. */
export let second: TestCore & { send: Gateway['send'] }
export let root: Send

/** Serves by two processes on one database before the tests of the file, with the key `k` and the policy `one`. */
export function serveTwice(): void {
  beforeAll(async () => {
    const file = join(folder, 'keyferry.db')
    const context = { now: () => Date.now() + clock.late }
    vault = await gateway({}, { file, context })
    const other = await testCore({ file, rootKey: vault.rootKey, context })
    const app = createApp(other.core)
    const send: Gateway['send'] = async (method, path, body, headers = {}) => {
      const response = await app.request(`http://gateway/v1/${path}`, {
        method,
        headers: { 'x-vault-token': vault.rootToken, ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      return { status: response.status, text: await response.text(), headers: response.headers }
    }
    second = { ...other, send }
    root = as(vault, vault.rootToken)
    await good(root('PUT', 'keymgmt/key/k', { type: 'ecdsa-p256' }))
    await good(root('PUT', 'sys/policies/acl/one', { policy: admin.replace(', "sudo"', '') }))
  })
  afterAll(async () => {
    await second.close()
    await vault.close()
    rmSync(folder, { recursive: true })
  })
}

interface Auth {
  client_token: string
  accessor: string
  policies: string[]
  lease_duration: number
  renewable: boolean
  token_type: string
  orphan: boolean
  num_uses: number
}
export const authOf = (reply: { json: object }) => (reply.json as { auth: Auth }).auth
export const make = async (body: object, send: Send = root, path = 'create') =>
  authOf(await good(send('POST', `auth/token/${path}`, body)))
export const self = async (token: string) => await as(vault, token)('GET', 'auth/token/lookup-self')
export const dead = [403, 'permission denied']
export const denied = [403, '1 error occurred:\n\t* permission denied\n\n']
