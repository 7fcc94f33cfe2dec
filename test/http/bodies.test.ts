import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dataOf, type Gateway, gateway, outcome } from './gateway.ts'

let vault: Gateway
beforeAll(async () => {
  vault = await gateway()
  await vault.send('PUT', 'keymgmt/key/k', { type: 'ecdsa-p256' })
  await vault.send('PUT', 'keymgmt/kms/p', { provider: 'memory', key_collection: 'vault' })
})
afterAll(() => vault.close())

describe('bodies', () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const set = async (body: string | undefined, headers: Record<string, string> = {}) => {
    await vault.send('PUT', 'keymgmt/key/k', { deletion_allowed: false })
    const result = outcome(await vault.send('PUT', 'keymgmt/key/k', body, headers))
    return [...result, dataOf(await vault.send('GET', 'keymgmt/key/k')).deletion_allowed]
  }

  it('may be JSON, whatever the type says', async () => {
    for (const type of [
      'application/json',
      'application/json; charset=utf-8',
      'text/plain',
      'application/x-www-form-urlencoded',
    ]) {
      expect(await set('{"deletion_allowed":true}', { 'content-type': type })).toEqual([204, true])
    }
    expect(await set(' \n\t{"deletion_allowed" : true} \r\n', form)).toEqual([204, true])
    expect(await set('\ufeff{"deletion_allowed":true}')).toEqual([204, true])
  })

  it('may be a form', async () => {
    expect(await set('deletion_allowed=true&unknown=1', form)).toEqual([204, true])
    expect(
      await set('deletion%5Fallowed=T', { 'content-type': 'Application/X-WWW-Form-URLEncoded; charset=utf-8' }),
    ).toEqual([204, true])
  })

  it('may be missing, empty or null', async () => {
    for (const body of [undefined, '', '  \n', 'null', ' null\n', '{}']) expect(await set(body)).toEqual([204, false])
  })

  it.each([
    '{',
    '{"deletion_allowed":tru}',
    'deletion_allowed=true',
    "{'deletion_allowed':true}",
    '{"deletion_allowed":true}x',
  ])('must not be %s', async (body) => {
    expect(await set(body)).toEqual([400, 'failed to parse JSON input: the body is not valid JSON', false])
  })

  it.each([
    '[]',
    '[{"deletion_allowed":true}]',
    '"deletion_allowed"',
    '1',
    'true',
  ])('must be an object, not %s', async (body) => {
    expect(await set(body)).toEqual([400, 'failed to parse JSON input: the body must be a JSON object', false])
  })

  it('must be UTF-8', async () => {
    const response = await vault.app.request('http://gateway/v1/keymgmt/key/k', {
      method: 'PUT',
      headers: { 'x-vault-token': vault.rootToken },
      body: Buffer.from('{"type":"\xff"}', 'latin1'),
    })
    expect([response.status, await response.text()]).toEqual([400, '{"errors":["the body is not valid UTF-8"]}'])
  })

  it('never comes back in a message', async () => {
    for (const body of [
      '{"credentials":"topsecret',
      '{"credentials":["topsecret"],"provider":"memory","key_collection":"vault"}',
      '{"credentials":{"topsecret":{}}}',
      '"topsecret"',
    ]) {
      const reply = await vault.send('PUT', 'keymgmt/kms/new', body)
      expect(reply.status).toBe(400)
      expect(reply.text).not.toContain('topsecret')
    }
    expect(JSON.stringify(vault.logged)).not.toContain('topsecret')
  })

  it('does not reach prototypes', async () => {
    expect(await set('{"__proto__":{"deletion_allowed":true},"constructor":{"prototype":{"x":1}}}')).toEqual([
      204,
      false,
    ])
    expect(({} as Record<string, unknown>).x).toBeUndefined()
  })
})

describe('weak typing', () => {
  const wrong = (field: string, what: string) =>
    `Field validation failed: error converting input for field "${field}": ${what} is expected`

  it.each([true, 'true', 'True', 't', '1', 1, 2])('reads %j as true', async (value) => {
    await vault.send('PUT', 'keymgmt/key/k', { deletion_allowed: false })
    expect(outcome(await vault.send('PUT', 'keymgmt/key/k', { deletion_allowed: value }))).toEqual([204])
    expect(dataOf(await vault.send('GET', 'keymgmt/key/k')).deletion_allowed).toBe(true)
  })

  it.each([false, 'false', 'F', '0', 0])('reads %j as false', async (value) => {
    await vault.send('PUT', 'keymgmt/key/k', { deletion_allowed: true })
    expect(outcome(await vault.send('PUT', 'keymgmt/key/k', { deletion_allowed: value }))).toEqual([204])
    expect(dataOf(await vault.send('GET', 'keymgmt/key/k')).deletion_allowed).toBe(false)
  })

  it.each(['', 'yes', 'tRUE', [], {}, [true]])('does not read %j as a boolean', async (value) => {
    expect(outcome(await vault.send('PUT', 'keymgmt/key/k', { deletion_allowed: value }))).toEqual([
      400,
      wrong('deletion_allowed', 'true or false'),
    ])
  })

  it.each([1, '1', '+1', '01', 1.0])('reads %j as one', async (value) => {
    await vault.send('PUT', 'keymgmt/key/k', { min_enabled_version: 0 })
    expect(outcome(await vault.send('PUT', 'keymgmt/key/k', { min_enabled_version: value }))).toEqual([204])
    expect(dataOf(await vault.send('GET', 'keymgmt/key/k')).min_enabled_version).toBe(1)
  })

  it.each([
    '',
    'one',
    '1.5',
    1.5,
    '1e0',
    '0x1',
    true,
    [],
    {},
    1e300,
    '99999999999999999999',
  ])('does not read %j as a whole number', async (value) => {
    expect(outcome(await vault.send('PUT', 'keymgmt/key/k', { min_enabled_version: value }))).toEqual([
      400,
      wrong('min_enabled_version', 'a whole number'),
    ])
  })

  it('takes null for a field that was not sent', async () => {
    const body = { type: null, deletion_allowed: null, min_enabled_version: null, replica_regions: null }
    expect(outcome(await vault.send('PUT', 'keymgmt/key/nulls', body))).toEqual([204])
    expect(dataOf(await vault.send('GET', 'keymgmt/key/nulls'))).toMatchObject({
      type: 'rsa-2048',
      deletion_allowed: false,
    })
  })
})
