import { KeyferryError } from '../../core/errors.ts'
import type { WrappingKey } from '../../core/kms/provider.ts'
import type { WrappingKeyStore } from '../../core/store.ts'
import type { Database } from './database.ts'
import { and, eq, ne, sql } from './drizzle.ts'
import { remoteNames, wrappingKeys } from './schema.ts'

export function wrappingKeyStore(database: Database): WrappingKeyStore {
  const db = database.drizzle
  const current = db
    .select()
    .from(wrappingKeys)
    .where(and(eq(wrappingKeys.collection, sql.placeholder('collection')), ne(wrappingKeys.state, 'retired')))
    .prepare()
  const read = (collection: string): WrappingKey | undefined => {
    const row = current.get({ collection })
    if (!row || row.state === 'retired') return undefined
    const { id, name, state, keyId, fingerprint, attestation } = row
    return { id, name, state, keyId, fingerprint, attestation }
  }
  return {
    current: read,
    plan: (row) =>
      database.write(() => {
        const known = read(row.collection)
        if (known) return known
        db.insert(remoteNames)
          .values({ collection: row.collection, name: row.name.toLowerCase(), holder: row.id })
          .run()
        db.insert(wrappingKeys)
          .values({ ...row, state: 'planned', keyId: null, fingerprint: null, reason: null })
          .run()
        return { id: row.id, name: row.name, state: 'planned' as const, keyId: null, fingerprint: null }
      }),
    pin: (id, keyId, fingerprint) =>
      database.write(() => {
        const row = db.select().from(wrappingKeys).where(eq(wrappingKeys.id, id)).get()
        if (row?.state === 'pinned' && row.keyId === keyId && row.fingerprint === fingerprint) {
          return { id, name: row.name, state: 'pinned' as const, keyId, fingerprint }
        }
        if (row?.state !== 'planned')
          throw new KeyferryError('conflict', 'the key encryption key was replaced meanwhile')
        db.update(wrappingKeys).set({ state: 'pinned', keyId, fingerprint }).where(eq(wrappingKeys.id, id)).run()
        database.touchAll()
        return { id, name: row.name, state: 'pinned' as const, keyId, fingerprint }
      }),
    attest: (id, attestation) =>
      database.write(() => {
        db.update(wrappingKeys)
          .set({ attestation: { ...attestation } })
          .where(eq(wrappingKeys.id, id))
          .run()
        database.touchAll()
      }),
    retire: (id, reason) =>
      database.write(() => {
        db.update(wrappingKeys).set({ state: 'retired', reason }).where(eq(wrappingKeys.id, id)).run()
        database.touchAll()
      }),
  }
}
