import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { KeyferryError } from '../../src/core/errors.ts'
import { keyTypeNames } from '../../src/core/keys/types.ts'
import { purposes as allPurposes, type Connection, type RemoteKey } from '../../src/core/kms/provider.ts'
import { ProviderRegistry } from '../../src/core/kms/registry.ts'
import {
  type CallKind,
  cloudFailure,
  everythingPossible,
  type Mishap,
  type ProviderHarness,
  Register,
  requestFor,
} from './harness.ts'

/**
 * What the core counts on in every provider. A new cloud is a folder, a harness that hands this suite a cloud to go to, and a row in
 * the docs.
 */
export function testProvider(name: string, start: () => Promise<ProviderHarness>): void {
  describe(`the provider ${name} keeps the contract`, () => {
    let harness: ProviderHarness
    let connection: Connection
    beforeAll(async () => {
      harness = await start()
      connection = await harness.provider.open(harness.settings, harness.owner, new Register())
      await connection.importVersion(requestFor(harness))
    })
    afterEach(() => {
      harness.calm()
      harness.permitListing(true)
    })
    afterAll(async () => {
      connection.close?.()
      await harness.close()
    })
    const fresh = () => harness.provider.open(harness.settings, harness.owner, new Register())
    const present = (key: RemoteKey) => {
      if (key.state !== 'present') throw new Error(`expected a key, got ${key.state}`)
      return key
    }

    describe('what it says of itself', () => {
      it('is a name, a matrix of known types and purposes, and times', () => {
        const { provider } = harness
        expect(provider.name).toMatch(/^[a-z][a-z0-9]{2,30}$/)
        expect(Object.keys(provider.matrix).filter((type) => !keyTypeNames.some((known) => known === type))).toEqual([])
        const cells = Object.values(provider.matrix).flatMap((row) => Object.values(row))
        expect(cells.length).toBeGreaterThan(0)
        for (const { purposes, forbidden = [] } of cells) {
          expect(purposes.length).toBeGreaterThan(0)
          expect(purposes.filter((purpose) => !allPurposes.includes(purpose))).toEqual([])
          for (const set of forbidden) expect(set.every((purpose) => purposes.includes(purpose))).toBe(true)
        }
        expect([provider.callTimeoutMs > 0, provider.settleMs > 0, provider.newestAfterMs >= 0]).toEqual([
          true,
          true,
          true,
        ])
      })

      it('stands in a registry under its name, once', () => {
        const registry = new ProviderRegistry().register(harness.provider)
        expect(registry.get(harness.provider.name)).toBe(harness.provider)
        expect(registry.names()).toEqual([harness.provider.name])
        expect(() => registry.register(harness.provider)).toThrow(/twice/)
        expect(() => registry.get('no-such-cloud')).toThrow(/unsupported provider "no-such-cloud"/)
      })
    })

    describe('settings and names', () => {
      it('are parsed to one collection, the same each time', () => {
        const { provider, settings, owner } = harness
        const { collection, warnings } = provider.parse(settings, owner)
        expect(collection).toBe(collection.toLowerCase())
        expect(provider.parse({ ...settings }, owner)).toEqual({ collection, warnings })
      })

      it('that are wrong are refused with a sentence, and without a secret', () => {
        expect(harness.badSettings.length).toBeGreaterThan(0)
        for (const [what, settings] of harness.badSettings) {
          const refuse = () => harness.provider.parse(settings, harness.owner)
          expect(refuse, what).toThrow(expect.objectContaining({ code: 'invalid' }))
          for (const secret of Object.values(settings.credentials)) {
            if (secret.length > 8) expect(refuse, what).not.toThrow(secret)
          }
        }
      })

      it('that no key can have are refused; what is made of any key name is none of these', () => {
        const { provider, badNames } = harness
        expect(badNames.length).toBeGreaterThan(0)
        for (const bad of badNames) {
          expect(() => provider.checkRemoteName(bad), bad).toThrow(expect.objectContaining({ code: 'invalid' }))
        }
        fc.assert(
          fc.property(fc.stringMatching(/^[\w]([\w.-]{0,200}[\w])?$/), (keyName) => {
            provider.checkRemoteName(`${provider.remoteBaseName(keyName)}-1795572724`)
          }),
        )
      })
    })

    describe('the life of a key', () => {
      it('of every type and protection that the matrix allows and the place takes', async () => {
        for (const { type, protection, purposes } of everythingPossible(harness)) {
          if (/^rsa-(3072|4096)$/.test(type)) continue
          const request = requestFor(harness, { protection, purposes, material: { type } as never })
          const seen = await connection.importVersion(request)
          expect([type, seen.importId, seen.enabled]).toEqual([type, request.importId, true])
          expect([type, seen.publicKey]).toEqual([type, request.material.spki])
          if (seen.purposes) expect([type, seen.purposes]).toEqual([type, purposes])
        }
      })

      it('begins absent; versions are told by import id, oldest first; the last one is the current one', async () => {
        const one = requestFor(harness)
        const { remoteName } = one
        expect(await connection.describe(remoteName)).toEqual({ state: 'absent' })
        const first = await connection.importVersion(one)
        const two = requestFor(harness, { remoteName, enabled: false })
        const second = await connection.importVersion(two)
        expect(second.remoteVersion).not.toBe(first.remoteVersion)
        const { latest, versions } = present(await connection.describe(remoteName))
        expect([latest.importId, latest.enabled, latest.publicKey]).toEqual([two.importId, false, two.material.spki])
        expect(versions?.map(({ importId, enabled, remoteVersion }) => [importId, enabled, remoteVersion])).toEqual([
          [one.importId, true, first.remoteVersion],
          [two.importId, false, second.remoteVersion],
        ])
        // Also without its versions, and disabled, which Azure shows in a list alone.
        const brief = await connection.describe(remoteName, { latestOnly: true })
        expect(present(brief).latest).toEqual(latest)
      })

      it('has versions that are read, enabled and disabled one by one', async () => {
        const request = requestFor(harness)
        const { remoteName } = request
        const first = await connection.importVersion(request)
        await connection.importVersion(requestFor(harness, { remoteName }))
        for (const enabled of [false, false, true]) {
          await connection.setVersionEnabled(remoteName, first.remoteVersion, enabled)
          expect((await connection.readVersion(remoteName, first.remoteVersion))?.enabled).toBe(enabled)
          expect(present(await connection.describe(remoteName)).latest.enabled).toBe(true)
        }
        const read = await connection.readVersion(remoteName, first.remoteVersion)
        expect([read?.importId, read?.publicKey]).toEqual([request.importId, request.material.spki])
        const elsewhere = '0'.repeat(first.remoteVersion.length)
        expect(await connection.readVersion(remoteName, elsewhere)).toBeUndefined()
        expect(await connection.readVersion(requestFor(harness).remoteName, first.remoteVersion)).toBeUndefined()
        const error = await cloudFailure(connection.setVersionEnabled(remoteName, elsewhere, true), harness)
        expect(error).toMatchObject({ kind: 'refused', effect: 'none' })
      })

      it('ends with a removal, of which any number is one', async () => {
        const request = requestFor(harness)
        const { remoteName } = request
        await connection.importVersion(request)
        for (let times = 0; times < 3; times++) await connection.remove(remoteName)
        const { state } = await connection.describe(remoteName)
        expect(['absent', 'deleted']).toContain(state)
        expect(await connection.describe(remoteName, { latestOnly: true })).toMatchObject({ state })
        await connection.remove(requestFor(harness).remoteName)
        const again = connection.importVersion(requestFor(harness, { remoteName }))
        if (state === 'deleted')
          expect(await cloudFailure(again, harness)).toMatchObject({ kind: 'name_taken', effect: 'none' })
        else expect((await again).enabled).toBe(true)
      })

      it('takes imports side by side where versions can be listed', async () => {
        expect(await connection.canListVersions()).toBe(true)
        const { remoteName } = requestFor(harness)
        const requests = Array.from({ length: 6 }, () => requestFor(harness, { remoteName }))
        await Promise.all(requests.map((request) => connection.importVersion(request)))
        const { versions } = present(await connection.describe(remoteName))
        expect(versions?.map(({ importId }) => importId).sort()).toEqual(
          requests.map(({ importId }) => importId).sort(),
        )
      })

      it('goes on where they cannot: the current one shows its import id', async () => {
        harness.permitListing(false)
        const limited = await fresh()
        expect(await limited.canListVersions()).toBe(false)
        const request = requestFor(harness)
        expect(await limited.describe(request.remoteName)).toEqual({ state: 'absent' })
        await limited.importVersion(request)
        const key = present(await limited.describe(request.remoteName))
        expect([key.latest.importId, key.versions]).toEqual([request.importId, undefined])
      })
    })

    describe('key material', () => {
      it('is borrowed once for an import, given back unspoilt, and zeroed by nobody but its owner', async () => {
        const request = requestFor(harness)
        await connection.importVersion(request)
        expect([request.material.borrowed, request.material.spoilt]).toEqual([1, false])
        expect(request.material.lent.every((buffer) => buffer.every((byte) => byte === 0))).toBe(true)
      })

      it('that does not open stops the import with its own error, and nothing is sent', async () => {
        const request = requestFor(harness)
        const closed = new KeyferryError('corrupt', 'the box does not open')
        request.material.use = async () => {
          throw closed
        }
        await expect(connection.importVersion(request)).rejects.toBe(closed)
        expect(await connection.describe(request.remoteName)).toEqual({ state: 'absent' })
      })
    })

    describe('failures', () => {
      const calls: [CallKind, (request: ReturnType<typeof requestFor>, version: string) => Promise<unknown>][] = [
        ['import', (request) => connection.importVersion(requestFor(harness, { remoteName: request.remoteName }))],
        ['set-enabled', (request, version) => connection.setVersionEnabled(request.remoteName, version, false)],
        ['describe', (request) => connection.describe(request.remoteName)],
        ['remove', (request) => connection.remove(request.remoteName)],
      ]
      const cases = calls.flatMap(([call, act]) =>
        (['refused', 'throttled', 'lost-before', 'lost-after'] as const).map((mishap) => ({ call, mishap, act })),
      )

      it.each(cases)('$call, $mishap: the kind and the effect are told as they are', async ({ call, mishap, act }) => {
        const request = requestFor(harness)
        const { remoteVersion } = await connection.importVersion(request)
        harness.disturb(call, mishap)
        const error = await cloudFailure(act(request, remoteVersion), harness)
        harness.calm()
        const kind = {
          refused: 'refused',
          throttled: 'throttled',
          'lost-before': 'unavailable',
          'lost-after': 'unavailable',
        }[mishap]
        expect(error.kind).toBe(kind)
        const happened = mishap === 'lost-after' && call !== 'describe'
        // "Unknown" may be said of what did not happen, but "none" never of what did; a read has none.
        if (happened) expect(error.effect).toBe('unknown')
        if (mishap === 'refused' || mishap === 'throttled' || call === 'describe') expect(error.effect).toBe('none')
        const after = await connection.describe(request.remoteName)
        if (call === 'remove' && happened) expect(after.state).not.toBe('present')
        else {
          const { versions } = present(after)
          expect(versions?.length).toBe(call === 'import' && happened ? 2 : 1)
          expect(versions?.[0]?.enabled).toBe(!(call === 'set-enabled' && happened))
        }
      })

      it.each(['lost-before', 'lost-after'] satisfies Mishap[])('an import that is %s is sent once', async (mishap) => {
        const request = requestFor(harness)
        harness.disturb('import', mishap)
        await cloudFailure(connection.importVersion(request), harness)
        harness.calm()
        const key = await connection.describe(request.remoteName)
        const there = key.state === 'present' ? key.versions : []
        expect(there?.map(({ importId }) => importId)).toEqual(mishap === 'lost-after' ? [request.importId] : [])
      })
    })

    describe('what it may do beyond that', () => {
      it('a preflight changes nothing, and its findings have a level, a code and a sentence', async () => {
        if (!connection.diagnose) return
        const request = requestFor(harness)
        await connection.importVersion(request)
        const before = await connection.describe(request.remoteName)
        const findings = await connection.diagnose()
        expect(findings.length).toBeGreaterThan(0)
        for (const { level, code, message } of findings) {
          expect(['ok', 'info', 'warning', 'error']).toContain(level)
          expect([code, message]).toEqual([
            expect.stringMatching(/^[a-z][a-z0-9_]*$/),
            expect.stringMatching(/\S{2,} \S+/),
          ])
        }
        expect(await connection.describe(request.remoteName)).toEqual(before)
      })

      it('a version is changed in place: its purposes, tags and times, any number of times, and nothing else', async () => {
        if (!connection.changeVersion) return
        const more = { tags: { team: 'pay' }, expires: new Date(2_000_000_000_000) }
        const request = requestFor(harness, more)
        const { remoteName, importId, purposes } = request
        const first = await connection.importVersion(request)
        await connection.importVersion(requestFor(harness, { remoteName, enabled: false }))
        const [purpose = 'sign'] = purposes
        const change = {
          purposes: [purpose],
          tags: { importId, others: { team: 'ship', cost: '7' } },
          notBefore: new Date(1_500_000_000_000),
          expires: new Date(1_900_000_000_000),
        }
        const before = present(await connection.describe(remoteName)).latest
        for (let times = 0; times < 2; times++) await connection.changeVersion(remoteName, first.remoteVersion, change)
        const seen = await connection.readVersion(remoteName, first.remoteVersion)
        expect(seen).toMatchObject({ importId, enabled: true, purposes: [purpose], tags: change.tags.others })
        expect(seen).toMatchObject({ notBefore: 1_500_000_000, expires: 1_900_000_000 })
        expect(seen?.labelled).not.toBe(false)
        expect(seen?.publicKey).toEqual(request.material.spki)
        // What is left out stays.
        await connection.changeVersion(remoteName, first.remoteVersion, { purposes })
        const { changed: _changed, ...again } = (await connection.readVersion(remoteName, first.remoteVersion)) ?? {}
        const { changed: _before, ...wanted } = { ...seen, purposes: [...purposes].sort() }
        expect(again).toEqual(wanted)
        expect(present(await connection.describe(remoteName)).latest).toEqual(before)
        const elsewhere = connection.changeVersion(remoteName, '0'.repeat(first.remoteVersion.length), change)
        expect(await cloudFailure(elsewhere, harness)).toMatchObject({ kind: 'refused', effect: 'none' })
      })

      it('a deleted key is recovered with all its versions; one that is there stays as it is', async () => {
        if (!connection.recover) return
        const request = requestFor(harness)
        const { remoteName } = request
        await connection.importVersion(request)
        await connection.importVersion(requestFor(harness, { remoteName, enabled: false }))
        const before = await connection.describe(remoteName)
        await connection.recover(remoteName)
        expect(await connection.describe(remoteName)).toEqual(before)
        await connection.remove(remoteName)
        if ((await connection.describe(remoteName)).state !== 'deleted') return
        await connection.recover(remoteName)
        expect(await connection.describe(remoteName)).toEqual(before)
      })

      it('a new key encryption key serves the next import', async () => {
        const own = await fresh()
        if (!own.rotateWrappingKey) return
        await own.importVersion(requestFor(harness))
        const { keyId, formerKeyId } = await own.rotateWrappingKey()
        expect(keyId).not.toBe(formerKeyId)
        const request = requestFor(harness)
        expect((await own.importVersion(request)).publicKey).toEqual(request.material.spki)
      })
    })
  })
}
