import { describe, expect, it } from 'vitest'
import { type Gateway, outcome } from './gateway.ts'
import { admin, as, dataOf, good, tokenWith } from './tenants.ts'
import { authOf, clock, dead, denied, make, root, second, self, serveTwice, vault } from './token-gateways.ts'

serveTwice()

describe('a child', () => {
  it('has no more policies than its parent, unless a role or sudo gives more', async () => {
    for (const name of ['one', 'two'])
      await good(root('PUT', `sys/policies/acl/${name}`, { policy: admin.replace(', "sudo"', '') }))
    const parent = as(vault, (await make({ policies: ['one'] })).client_token)
    expect((await make({}, parent)).policies).toEqual(['default', 'one'])
    expect((await make({ no_default_policy: true, policies: ['one'] }, parent)).policies).toEqual(['one'])
    for (const policies of ['two', 'one,two', 'root', 'ROOT', ' Root ', 'TWO']) {
      const [status] = outcome(await parent('POST', 'auth/token/create', { policies }))
      expect([policies, status]).toEqual([policies, expect.toBeOneOf([400, 403])])
    }
    expect((await make({ policies: 'ONE' }, parent)).policies).toEqual(['default', 'one'])
    for (const body of [{ no_parent: true }, { period: '1h' }]) {
      expect(outcome(await parent('POST', 'auth/token/create', body))).toEqual(denied)
    }
    expect(outcome(await parent('POST', 'auth/token/create-orphan', {}))).toEqual(denied)
    await good(root('PUT', 'auth/token/roles/up', { allowed_policies: 'two', orphan: true, token_period: '1h' }))
    const up = await make({}, parent, 'create/up')
    expect(up).toMatchObject({ policies: ['default', 'two'], orphan: true, lease_duration: 3600 })
    expect(outcome(await parent('POST', 'auth/token/create/up', { policies: 'one' }))).toEqual([
      400,
      'token policy "one" is not allowed by this role',
    ])
  })

  it('of a role has what the role lets it have', async () => {
    const role = (fields: object) => good(root('PUT', 'auth/token/roles/r', fields))
    await role({ disallowed_policies: 'default', allowed_policies_glob: 'team-*' })
    expect((await make({ policies: 'team-a' }, root, 'create/r')).policies).toEqual(['team-a'])
    expect(outcome(await root('POST', 'auth/token/create/r', { policies: 'team-a,default' }))[0]).toBe(400)
    for (const policies of ['team', 'xteam-a', 'root', 'team-a,root']) {
      expect(outcome(await root('POST', 'auth/token/create/r', { policies }))[0]).toBeOneOf([400, 403])
    }
    await role({ disallowed_policies_glob: 'de*' })
    expect((await make({ policies: 'team-a' }, root, 'create/r')).policies).toEqual(['team-a'])
    // A kind that was set can be taken back, and rules out what it cannot have.
    await role({ token_type: 'batch' })
    expect((await make({ policies: 'team-a' }, root, 'create/r')).token_type).toBe('batch')
    await role({ token_num_uses: 3 })
    expect(outcome(await root('POST', 'auth/token/create/r', { policies: 'team-a' }))).toEqual([
      400,
      'batch tokens cannot have a period, a number of uses or an explicit maximum ttl',
    ])
    await role({ token_type: 'default-service' })
    expect(await make({ policies: 'team-a' }, root, 'create/r')).toMatchObject({ token_type: 'service', num_uses: 3 })
    for (const [fields, message] of [
      [{ token_num_uses: -1 }, 'token_num_uses: allowed are 0 (no limit) to 1000000000'],
      [{ token_type: 'x' }, 'token_type: allowed are service, batch or default'],
      [
        { token_bound_cidrs: '10.0.0.0/99' },
        'token_bound_cidrs: "10.0.0.0/99" is not an address or a CIDR block such as 10.0.0.0/8',
      ],
    ] as const) {
      expect(outcome(await root('PUT', 'auth/token/roles/r', fields))).toEqual([400, message])
    }
    // Whoever may only make roles, and not change them, can make one.
    const maker = as(vault, await tokenWith(vault, '', 'path "auth/token/roles/*" { capabilities = ["create"] }'))
    expect((await maker('PUT', 'auth/token/roles/new', {})).status).toBe(204)
    expect(outcome(await maker('PUT', 'auth/token/roles/new', {}))).toEqual(denied)
  })

  it('ends with its parent, however it was renewed', async () => {
    const parent = await make({ policies: ['root'], ttl: 100 })
    const child = await make({ policies: ['root'], period: '1h' }, as(vault, parent.client_token))
    const grandchild = await make({ policies: 'one', type: 'batch', ttl: '1h' }, as(vault, child.client_token))
    await good(as(vault, child.client_token)('POST', 'auth/token/renew-self', { increment: '2h' }))
    for (const { client_token } of [parent, child, grandchild]) expect((await self(client_token)).status).toBe(200)
    clock.late += 101_000
    for (const gateway of [vault, second]) {
      for (const { client_token } of [parent, child, grandchild]) {
        const reply = await gateway.send('GET', 'auth/token/lookup-self', undefined, { 'x-vault-token': client_token })
        expect(outcome(reply)).toEqual(dead)
      }
    }
    for (const path of ['lookup-accessor', 'renew-accessor', 'revoke-accessor']) {
      expect(outcome(await root('POST', `auth/token/${path}`, { accessor: child.accessor }))).toEqual(denied)
    }
    for (const path of ['lookup', 'renew', 'revoke', 'revoke-orphan']) {
      expect(outcome(await root('POST', `auth/token/${path}`, { token: child.client_token }))).toEqual(denied)
    }
  })

  it('of one with a limited number of uses, or of a batch token, there is none', async () => {
    const limited = await make({ policies: 'one', num_uses: 5 })
    expect(outcome(await as(vault, limited.client_token)('POST', 'auth/token/create', {}))).toEqual([
      400,
      'a token with a limited number of uses cannot create tokens',
    ])
    const batch = await make({ policies: 'one', type: 'batch' })
    expect(outcome(await as(vault, batch.client_token)('POST', 'auth/token/create', {}))).toEqual([
      400,
      'batch tokens cannot create more tokens',
    ])
    for (const body of [{ policies: 'root' }, {}, { num_uses: 1 }, { period: '1h' }, { explicit_max_ttl: '1h' }]) {
      expect((await root('POST', 'auth/token/create', { type: 'batch', ...body })).status).toBe(400)
    }
  })
})

describe('lives', () => {
  it('are capped with a warning, and renewed up to their maximum', async () => {
    const long = await root('POST', 'auth/token/create', { policies: 'one', ttl: '1000h' })
    expect(JSON.parse(long.text).warnings).toEqual([
      'TTL of "3600000s" exceeded the effective max_ttl of "2764800s"; TTL value is capped accordingly',
    ])
    expect(authOf(long).lease_duration).toBe(2_764_800)
    const bound = await make({ policies: 'one', ttl: '1h', explicit_max_ttl: '90m' })
    const renewed = await good(as(vault, bound.client_token)('POST', 'auth/token/renew-self', { increment: '3h' }))
    expect(authOf(renewed).client_token).toBe(bound.client_token)
    expect(authOf(renewed).lease_duration).toBeLessThanOrEqual(5400)
    expect(JSON.parse(renewed.text).warnings[0]).toMatch(/^TTL of "10800s" exceeded the effective max_ttl of "5\d{3}s"/)
    const fixed = await make({ policies: 'one', ttl: '1h', renewable: false })
    expect(outcome(await root('POST', 'auth/token/renew', { token: fixed.client_token }))).toEqual([
      400,
      'lease is not renewable',
    ])
    expect(outcome(await root('POST', 'auth/token/renew-self'))).toEqual([400, 'lease is not renewable'])
    expect(dataOf(await root('GET', 'auth/token/lookup-self'))).toMatchObject({ ttl: 0, expire_time: null })
  })

  it('of 1 use is 1, of many at once, in both processes', async () => {
    for (const uses of [1, 3]) {
      const { client_token } = await make({ policies: 'one', num_uses: uses })
      const headers = { 'x-vault-token': client_token }
      const replies = await Promise.all(
        Array.from({ length: 16 }, (_, index) =>
          (index % 2 ? vault : second).send('GET', 'keymgmt/key/k', undefined, headers),
        ),
      )
      expect(replies.filter(({ status }) => status === 200)).toHaveLength(uses)
      expect(replies.filter(({ status }) => status === 403)).toHaveLength(16 - uses)
      expect(outcome(await root('POST', 'auth/token/lookup', { token: client_token }))).toEqual(denied)
    }
  })
})

describe('revoking', () => {
  it('ends a tree at once, in this process and the other, with 32 requests under way', async () => {
    for (let time = 0; time < 5; time++) {
      const parent = await make({ policies: ['root'] })
      const child = await make({ policies: 'one' }, as(vault, parent.client_token))
      const batch = await make({ policies: 'one', type: 'batch' }, as(vault, parent.client_token))
      const tokens = [parent, child, batch].map(({ client_token }) => ({ 'x-vault-token': client_token }))
      const ask = (gateway: { send: Gateway['send'] }, index: number) =>
        gateway.send('GET', 'keymgmt/key/k', undefined, tokens[index % tokens.length])
      // What both remember of them is fresh.
      for (const gateway of [vault, second])
        for (const index of [0, 1, 2]) expect((await ask(gateway, index)).status).toBe(200)
      let done = false
      const late: number[] = []
      const work = async (gateway: { send: Gateway['send'] }, index: number) => {
        for (let more = 3; more > 0; ) {
          // All of it is at hand: without this nothing else would get its turn.
          await new Promise((go) => setImmediate(go))
          const after = done
          const { status } = await ask(gateway, index)
          // What began after the answer to the revocation has to be refused.
          if (after) late.push(status)
          if (after) more--
        }
      }
      const running = Array.from({ length: 32 }, (_, index) => work(index % 2 ? vault : second, index))
      await good(root('POST', 'auth/token/revoke-accessor', { accessor: parent.accessor }))
      done = true
      await Promise.all(running)
      expect(late).toHaveLength(96)
      expect(new Set(late)).toEqual(new Set([403]))
    }
  })

  it('leaves nothing behind that was made meanwhile', async () => {
    for (let time = 0; time < 5; time++) {
      const parent = await make({ policies: ['root'] })
      const children = Array.from({ length: 12 }, (_, index) =>
        (index % 2 ? vault : second).send(
          'POST',
          'auth/token/create',
          { policies: 'one' },
          { 'x-vault-token': parent.client_token },
        ),
      )
      const [, ...replies] = await Promise.all([
        root('POST', 'auth/token/revoke-accessor', { accessor: parent.accessor }),
        ...children,
      ])
      for (const reply of replies) {
        if (reply.status !== 200) expect(reply.status).toBe(403)
        else expect(outcome(await self(JSON.parse(reply.text).auth.client_token))).toEqual(dead)
      }
    }
  })

  it('and renewing at once: revoked it is', async () => {
    for (let time = 0; time < 5; time++) {
      const { client_token, accessor } = await make({ policies: 'one', ttl: '1h' })
      const renewals = Array.from({ length: 8 }, (_, index) =>
        (index % 2 ? vault : second).send('POST', 'auth/token/renew-self', {}, { 'x-vault-token': client_token }),
      )
      const [revoked, ...replies] = await Promise.all([
        root('POST', 'auth/token/revoke-accessor', { accessor }),
        ...renewals,
      ])
      expect(revoked.status).toBe(204)
      for (const { status } of replies) expect(status).toBeOneOf([200, 403])
      for (const gateway of [vault, second]) {
        expect(
          outcome(await gateway.send('GET', 'auth/token/lookup-self', undefined, { 'x-vault-token': client_token })),
        ).toEqual(dead)
      }
    }
  })

  it('a parent alone makes orphans of its children', async () => {
    const parent = await make({ policies: ['root'], ttl: '1h' })
    const child = await make({ policies: 'one' }, as(vault, parent.client_token))
    await good(root('POST', 'auth/token/revoke-orphan', { token: parent.client_token }))
    expect(outcome(await self(parent.client_token))).toEqual(dead)
    expect(dataOf(await self(child.client_token))).toMatchObject({ orphan: true })
  })
})
