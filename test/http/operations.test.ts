import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CloudError } from '../../src/core/kms/provider.ts'
import { dataOf, type Gateway, gateway, outcome, type Reply } from './gateway.ts'
import { as, good, makeNamespace } from './tenants.ts'

let vault: Gateway
beforeEach(async () => {
  vault = await gateway()
  await good(vault.send('POST', 'keymgmt/key/orders', { type: 'ecdsa-p256' }))
  await good(vault.send('POST', 'keymgmt/kms/prod', { provider: 'memory', key_collection: 'vault' }))
})
afterEach(() => vault.close())

const async = { prefer: 'respond-async' }
const copy = 'keymgmt/kms/prod/key/orders'
const hold = (call: 'import' | 'remove' | 'describe' = 'import') => {
  const error = () => new CloudError('throttled', 'not now', { retryAfterMs: 3_600_000 })
  vault.cloud.faults = [{ call, error, times: Number.POSITIVE_INFINITY }]
}
const release = () => {
  vault.cloud.faults = []
}
/** Sends while no call to a cloud comes to its end, so that nothing is done before the answer. */
const sendSlowly = async (...request: Parameters<Gateway['send']>) => {
  const { promise: answered, resolve: goOn } = Promise.withResolvers<void>()
  const clouds = [vault.cloud, vault.other]
  const quick = clouds.map((cloud) => cloud.act)
  for (const [index, cloud] of clouds.entries()) {
    cloud.act = async (...parts) => {
      await answered
      return (await quick[index]?.apply(cloud, parts)) as never
    }
  }
  try {
    return await vault.send(...request)
  } finally {
    for (const [index, cloud] of clouds.entries()) cloud.act = quick[index] as typeof cloud.act
    goOn()
  }
}
const idOf = (reply: Reply) => String(dataOf(reply).operation_id)
const operation = async (id: string) => dataOf(await good(vault.send('GET', `keymgmt/operation/${id}`)))
const ended = async (id: string) => {
  const end = Date.now() + 5_000
  for (;;) {
    const read = await operation(id)
    if (read.state !== 'pending') return read
    if (Date.now() > end) throw new Error(`it did not end: ${JSON.stringify(read)}`)
    await new Promise((go) => setTimeout(go, 10))
  }
}
const reason = async (id: string, wanted: string) => {
  const end = Date.now() + 5_000
  while ((await operation(id)).reason !== wanted) {
    if (Date.now() > end) throw new Error('it did not come to that')
    await new Promise((go) => setTimeout(go, 10))
  }
}

describe('Prefer: respond-async', () => {
  it.each([
    'respond-async',
    'Respond-Async',
    'wait=10, respond-async',
    'respond-async; x=1',
  ])('is answered with 202 and the place to look (%s)', async (prefer) => {
    hold()
    const reply = await vault.send('POST', copy, { purpose: 'sign' }, { prefer })
    expect(reply.status).toBe(202)
    const id = idOf(reply)
    expect(reply.headers.get('location')).toBe(`/v1/keymgmt/operation/${id}`)
    expect(dataOf(reply)).toEqual({ operation_id: id, operation_ids: [id] })
    const found = await vault.send('GET', `keymgmt/operation/${id}`)
    expect(dataOf(found)).toMatchObject({ id, kind: 'distribute', state: 'pending', key: 'orders', kms: 'prod' })
  })

  it.each(['', 'wait=10', 'respond-asynchronously', 'return=minimal'])('is nothing else (%s)', async (prefer) => {
    const reply = await vault.send('POST', copy, { purpose: 'sign' }, { prefer })
    expect([reply.status, reply.headers.get('location')]).toEqual([204, null])
  })

  it('works for every write that is about copies, in every KMS that it is about', async () => {
    await good(vault.send('POST', 'keymgmt/kms/spare', { provider: 'memory', key_collection: 'other' }))
    for (const kms of ['prod', 'spare']) {
      const id = idOf(await good(sendSlowly('POST', `keymgmt/kms/${kms}/key/orders`, { purpose: 'sign' }, async)))
      expect((await ended(id)).state).toBe('succeeded')
    }
    for (const [path, body] of [
      ['keymgmt/key/orders/rotate', {}],
      ['keymgmt/key/orders', { min_enabled_version: 2 }],
    ] as const) {
      const reply = await sendSlowly('PUT', path, body, async)
      expect(reply.status).toBe(202)
      const ids = dataOf(reply).operation_ids as string[]
      expect(new Set(ids).size).toBe(2)
      for (const id of ids)
        expect(await ended(id)).toMatchObject({ state: 'succeeded', finish_time: expect.any(String) })
    }
    const reply = await sendSlowly('DELETE', copy, undefined, async)
    expect(reply.status).toBe(202)
    expect(await ended(idOf(reply))).toMatchObject({ kind: 'remove', state: 'succeeded' })
    expect(vault.cloud.keys.size).toBe(0)
    expect(vault.other.keys.size).toBe(1)
  })

  it('changes nothing where nothing is to be waited for, or the request is refused', async () => {
    expect((await vault.send('POST', 'keymgmt/key/lonely', { type: 'ecdsa-p256' }, async)).status).toBe(204)
    expect((await vault.send('POST', 'keymgmt/key/lonely/rotate', {}, async)).status).toBe(204)
    expect((await vault.send('POST', copy, { purpose: 'fly' }, async)).status).toBe(400)
    expect((await vault.send('GET', 'keymgmt/key/lonely', undefined, async)).status).toBe(200)
  })

  it('keeps warnings, and the namespace of the path', async () => {
    await makeNamespace(vault, 'team')
    const root = as(vault, vault.rootToken, 'team')
    await good(root('POST', 'sys/mounts/keys/of/it', { type: 'keymgmt' }))
    await good(root('POST', 'keys/of/it/key/a', { type: 'ecdsa-p256' }))
    await good(root('POST', 'keys/of/it/kms/b', { provider: 'memory', key_collection: 'vault' }))
    hold()
    const reply = await vault.send('POST', 'team/keys/of/it/kms/b/key/a', { purpose: 'sign', colour: 'red' }, async)
    expect(reply.headers.get('location')).toBe(`/v1/team/keys/of/it/operation/${idOf(reply)}`)
    expect(JSON.parse(reply.text).warnings).toContainEqual(expect.stringContaining('colour'))
    const location = reply.headers.get('location')?.slice('/v1/'.length) ?? ''
    expect(dataOf(await vault.send('GET', location)).state).toBe('pending')
  })
})

describe('operations over HTTP', () => {
  it('are listed, read, tried again and called off', async () => {
    expect(outcome(await vault.send('LIST', 'keymgmt/operation'))).toEqual([404])
    hold()
    const id = idOf(await vault.send('POST', copy, { purpose: 'sign' }, async))
    await reason(id, 'not now')
    expect(dataOf(await vault.send('LIST', 'keymgmt/operation')).keys).toEqual([id])
    expect(await operation(id)).toEqual({
      attempts: 1,
      creation_time: expect.stringMatching(/^\d{4}-.*Z$/),
      id,
      key: 'orders',
      kind: 'distribute',
      kms: 'prod',
      next_attempt_time: expect.stringMatching(/^\d{4}-.*Z$/),
      reason: 'not now',
      state: 'pending',
    })
    release()
    expect(dataOf(await good(vault.send('POST', `keymgmt/operation/${id}/retry`)))).toEqual({ operation_id: id })
    expect((await operation(id)).state).toBe('succeeded')
    expect(outcome(await vault.send('POST', `keymgmt/operation/${id}/cancel`))).toEqual([
      400,
      'the operation cannot be cancelled: it has ended (succeeded)',
    ])
    expect(outcome(await vault.send('POST', `keymgmt/operation/${id}/retry`))).toEqual([
      400,
      'nothing is left to be tried again: it has ended (succeeded)',
    ])
    await good(vault.send('DELETE', copy))
    hold()
    const second = idOf(await vault.send('POST', copy, { purpose: 'sign' }, async))
    const removal = idOf(await good(vault.send('POST', `keymgmt/operation/${second}/cancel`)))
    expect(await operation(second)).toMatchObject({ state: 'superseded', successor: removal })
    expect(await operation(removal)).toMatchObject({ kind: 'remove', state: 'succeeded' })
    expect(outcome(await vault.send('GET', copy))).toEqual([404])
  })

  it('whose key or namespace is gone are under sys/operation, to its namespace or its parent alone', async () => {
    await makeNamespace(vault, 'team')
    await makeNamespace(vault, 'others')
    const [team, others] = ['team', 'others'].map((one) => as(vault, vault.rootToken, one))
    if (!team || !others) throw new Error('there is no namespace')
    await good(team('POST', 'keymgmt/key/a', { type: 'ecdsa-p256' }))
    await good(team('POST', 'keymgmt/kms/b', { provider: 'memory', key_collection: 'vault' }))
    await good(team('POST', 'keymgmt/kms/b/key/a', { purpose: 'sign' }))
    hold('remove')
    const removed = idOf(await good(team('DELETE', 'keymgmt/kms/b/key/a', undefined, async)))
    expect(dataOf(await team('LIST', 'sys/operation')).keys).toContain(removed)
    const read = dataOf(await team('GET', `sys/operation/${removed}`))
    expect(read).toMatchObject({ id: removed, kind: 'remove', state: 'pending' })
    expect(read).not.toHaveProperty('key')
    for (const outsider of [others, vault.send]) {
      expect((await outsider('GET', `sys/operation/${removed}`)).status).toBe(404)
      expect((await outsider('LIST', 'sys/operation')).status).toBe(404)
    }
    await good(vault.send('DELETE', 'sys/namespaces/team'))
    const kept = dataOf(await vault.send('LIST', 'sys/operation')).keys as string[]
    const states = await Promise.all(kept.map(async (id) => dataOf(await vault.send('GET', `sys/operation/${id}`))))
    expect(states.filter(({ state }) => state === 'pending')).toMatchObject([{ kind: 'remove' }])
    expect(JSON.stringify(states)).not.toMatch(/team|"a"|"b"/)
    expect((await others('LIST', 'sys/operation')).status).toBe(404)
  })
})

describe('drift over HTTP', () => {
  it('is found by reconcile and shown with the copy', async () => {
    await good(vault.send('POST', copy, { purpose: 'sign' }))
    const clean = { copies: 1, drift: {}, failed: {}, looked: 1 }
    expect(dataOf(await good(vault.send('POST', 'keymgmt/kms/prod/reconcile')))).toEqual(clean)
    expect(dataOf(await vault.send('GET', copy))).not.toHaveProperty('drift')
    vault.cloud.keys.clear()
    const name = dataOf(await vault.send('GET', copy)).name
    const entry = { detail: `"${name}" is not in the KMS`, first_seen: expect.any(String), kind: 'missing' }
    expect(dataOf(await good(vault.send('POST', 'keymgmt/kms/prod/reconcile')))).toEqual({
      ...clean,
      drift: { orders: [entry] },
    })
    expect(dataOf(await vault.send('GET', copy)).drift).toEqual([entry])
    expect(outcome(await vault.send('POST', 'keymgmt/kms/nowhere/reconcile'))).toEqual([400, 'KMS "nowhere" not found'])
  })

  it('says why it is not put right, where it should be', async () => {
    await good(vault.send('POST', copy, { purpose: 'sign', repair: 'restore' }))
    const { name } = dataOf(await vault.send('GET', copy))
    vault.cloud.keys.get(String(name))?.push({ remoteVersion: 'other', importId: null, enabled: true, created: 1 })
    const entry = {
      detail: 'version other was not made by this gateway',
      first_seen: expect.any(String),
      kind: 'version_extra',
      not_restored: 'a version cannot be taken away alone, and what others made is not touched',
    }
    const { drift } = dataOf(await good(vault.send('POST', 'keymgmt/kms/prod/reconcile')))
    expect(drift).toEqual({ orders: [entry] })
    expect(dataOf(await vault.send('GET', copy)).drift).toEqual([entry])
  })

  it('is repaired as the copy says, which can be changed', async () => {
    await good(vault.send('POST', copy, { purpose: 'sign', repair: 'restore' }))
    expect(dataOf(await vault.send('GET', copy)).repair).toBe('restore')
    await good(vault.send('POST', copy, { purpose: 'sign', repair: 'report' }))
    expect(dataOf(await vault.send('GET', copy))).not.toHaveProperty('repair')
    expect(outcome(await vault.send('POST', copy, { purpose: 'sign', repair: 'all' }))).toEqual([
      400,
      'repair must be report or restore',
    ])
  })
})

describe('scheduled rotation over HTTP', () => {
  it('is written and read in Vault’s words', async () => {
    const plain = dataOf(await vault.send('GET', 'keymgmt/key/orders'))
    for (const name of ['auto_rotate_period', 'next_rotation_time', 'max_enabled_versions'])
      expect(plain).not.toHaveProperty(name)
    await good(vault.send('PUT', 'keymgmt/key/orders', { auto_rotate_period: '24h', max_enabled_versions: '3' }))
    expect(dataOf(await vault.send('GET', 'keymgmt/key/orders'))).toMatchObject({
      auto_rotate_period: 86_400,
      max_enabled_versions: 3,
      next_rotation_time: expect.stringMatching(/^\d{4}-.*Z$/),
    })
    await good(vault.send('PUT', 'keymgmt/key/orders', { auto_rotate_period: 0 }))
    expect(dataOf(await vault.send('GET', 'keymgmt/key/orders'))).not.toHaveProperty('next_rotation_time')
    expect(outcome(await vault.send('PUT', 'keymgmt/key/orders', { auto_rotate_period: '59m' }))).toEqual([
      400,
      'auto_rotate_period must be 0 (never), or 1h to 87600h, not 3540s',
    ])
  })
})
