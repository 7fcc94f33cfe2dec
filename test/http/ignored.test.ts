import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, gateway, outcome } from './gateway.ts'

let vault: Gateway
beforeAll(async () => {
  vault = await gateway()
})
afterAll(() => vault.close())

const warningsOf = async (method: string, path: string, body: unknown) =>
  JSON.parse((await vault.send(method, path, body)).text).warnings

describe('fields that mean nothing', () => {
  it('are named in the warnings of an answer, in order', async () => {
    expect(await warningsOf('POST', 'sys/capabilities-self', { paths: ['a'], zz: 1, 'b b': null, a: {} })).toEqual([
      'Endpoint ignored these unrecognized parameters: [a b b zz]',
    ])
    expect(await warningsOf('POST', 'auth/token/create', { ttl: '1h', entity_alias: 'x' })).toEqual([
      'Endpoint ignored these unrecognized parameters: [entity_alias]',
    ])
    expect(await warningsOf('POST', 'sys/namespaces/ignored', { path: 'elsewhere', x: 1 })).toEqual([
      'Endpoint ignored these unrecognized parameters: [x]',
      "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [path]",
    ])
  })

  it('come after the warnings that an answer has of itself', async () => {
    expect(await warningsOf('POST', 'auth/token/create', { id: 'chosen', x: 1 })).toEqual([
      'id is not possible here: tokens are signed, and their string cannot be chosen',
      'Endpoint ignored these unrecognized parameters: [x]',
    ])
  })

  it('make no answer where there is none', async () => {
    expect(
      outcome(await vault.send('POST', 'keymgmt/key/k', { type: 'aes256-gcm96', name: 'k', backend: 'x' })),
    ).toEqual([204])
  })

  it('are nothing to warn of where any are taken, or none is strange', async () => {
    expect(await warningsOf('POST', 'sys/wrapping/wrap', { anything: 1 })).toBeNull()
    expect(await warningsOf('POST', 'sys/capabilities-self', { paths: ['a'] })).toBeNull()
  })

  it('are repeated short and without control characters, and not all of many', async () => {
    const [odd] = await warningsOf('POST', 'sys/capabilities-self', { paths: ['a'], [`x\n${'y'.repeat(100)}`]: 1 })
    expect(odd).toBe(`Endpoint ignored these unrecognized parameters: [x?${'y'.repeat(59)}...]`)
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`f${1000 + index}`, 1]))
    const [few] = await warningsOf('POST', 'sys/capabilities-self', { paths: ['a'], ...many })
    expect(few).toMatch(/: \[f1000 f1001 .* f1049 \.\.\.\]$/)
  })

  it('of a login are named as well', async () => {
    await vault.send('POST', 'sys/auth/approle', { type: 'approle' })
    await vault.send('POST', 'auth/approle/role/r', { bind_secret_id: false, secret_id_bound_cidrs: '0.0.0.0/0' })
    const { data } = JSON.parse((await vault.send('GET', 'auth/approle/role/r/role-id')).text)
    const login = await vault.app.request(
      'http://gateway/v1/auth/approle/login',
      {
        method: 'POST',
        body: JSON.stringify({ role_id: data.role_id, nonce: 'x' }),
      },
      { remoteAddress: '127.0.0.1' },
    )
    expect([login.status, ((await login.json()) as { warnings: string[] }).warnings]).toEqual([
      200,
      ['Endpoint ignored these unrecognized parameters: [nonce]'],
    ])
  })
})
