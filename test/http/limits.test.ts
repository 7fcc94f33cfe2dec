import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, gateway, outcome } from './gateway.ts'

let vault: Gateway
beforeAll(async () => {
  vault = await gateway({ maxBodyBytes: 1000, maxJsonDepth: 5, maxJsonEntries: 10 })
})
afterAll(() => vault.close())

const send = (body: string, headers?: Record<string, string>) => vault.send('PUT', 'keymgmt/key/k', body, headers)
const padded = (bytes: number) => `{"x":"${'a'.repeat(bytes - 8)}"}`

describe('the size of a body', () => {
  it('is bounded, whether announced or not', async () => {
    expect(outcome(await send(padded(1000)))).toEqual([204])
    expect(outcome(await send(padded(1001)))).toEqual([413, 'the body is larger than 1000 bytes'])
    expect(outcome(await send(padded(1000), { 'content-length': '1000' }))).toEqual([204])
    expect(outcome(await send(padded(1001), { 'content-length': '1001' }))).toEqual([
      413,
      'the body is larger than 1000 bytes',
    ])
    expect(outcome(await send(padded(1001), { 'content-length': '5' }))).toEqual([
      413,
      'the body is larger than 1000 bytes',
    ])
  })

  it('is counted in bytes', async () => {
    expect(outcome(await send(`{"x":"${'é'.repeat(499)}"}`))).toEqual([413, 'the body is larger than 1000 bytes'])
  })

  it('is not read further than allowed', async () => {
    let sent = 0
    const endless = new ReadableStream({
      pull: (controller) => {
        sent += 400
        controller.enqueue(new Uint8Array(400).fill(0x20))
      },
    })
    const response = await vault.app.request('http://gateway/v1/keymgmt/key/k', {
      method: 'PUT',
      headers: { 'x-vault-token': vault.rootToken },
      body: endless,
      duplex: 'half',
    } as RequestInit)
    expect(response.status).toBe(413)
    expect(sent).toBeLessThan(3000)
  })
})

describe('the shape of JSON', () => {
  const deep = (levels: number) => `${'{"x":'.repeat(levels)}1${'}'.repeat(levels)}`
  const wide = (members: number) => `{"x":[${Array(members).fill('1').join()}]}`

  it('is bounded in depth', async () => {
    expect(outcome(await send(deep(5)))).toEqual([204])
    expect(outcome(await send(deep(6)))).toEqual([400, 'the body nests deeper than 5 levels'])
    expect(outcome(await send(`{"x":${'['.repeat(5)}${']'.repeat(5)}}`))).toEqual([
      400,
      'the body nests deeper than 5 levels',
    ])
    expect(outcome(await send('['.repeat(900)))).toEqual([400, 'the body nests deeper than 5 levels'])
  })

  it('is bounded in width', async () => {
    const error = 'the body has an object or array of more than 10 members'
    expect(outcome(await send(wide(10)))).toEqual([204])
    expect(outcome(await send(wide(11)))).toEqual([400, error])
    const members = Array.from({ length: 11 }, (_, index) => `"m${index}":0`)
    expect(outcome(await send(`{${members.slice(1).join()}}`))).toEqual([204])
    expect(outcome(await send(`{${members.join()}}`))).toEqual([400, error])
    expect(outcome(await send(`{"a":${wide(9)},"b":${wide(9)}}`))).toEqual([204])
  })

  it('does not count what is inside of strings', async () => {
    expect(outcome(await send(`{"x":"${'[{,'.repeat(30)}"}`))).toEqual([204])
    expect(outcome(await send(`{"x":"\\\\\\"${'[{,'.repeat(30)}"}`))).toEqual([204])
    expect(outcome(await send(`{"x":"\\\\","y":${'['.repeat(6)}`))).toEqual([
      400,
      'the body nests deeper than 5 levels',
    ])
    expect(outcome(await send(`{"x":"${'\\\\'.repeat(20)}","y":${'['.repeat(6)}`))).toEqual([
      400,
      'the body nests deeper than 5 levels',
    ])
    expect(outcome(await send('{"x":"unfinished'))).toEqual([
      400,
      'failed to parse JSON input: the body is not valid JSON',
    ])
  })

  it('is looked at before anybody is asked for a token', async () => {
    expect(outcome(await send(deep(6), { 'x-vault-token': '' }))).toEqual([400, 'the body nests deeper than 5 levels'])
    expect(outcome(await send(padded(1001), { 'x-vault-token': '' }))).toEqual([
      413,
      'the body is larger than 1000 bytes',
    ])
    expect(outcome(await send('{', { 'x-vault-token': '' }))).toEqual([403, 'permission denied'])
  })
})
