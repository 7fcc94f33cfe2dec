import { KeyferryError } from '../../core/errors.ts'
import type { TokenRow, TokenStore } from '../../core/store.ts'
import type { Database } from './database.ts'
import { and, asc, desc, eq, getTableColumns, isNull, lte, sql } from './drizzle.ts'
import { signingKeys, tokens } from './schema.ts'

export function tokenStore(database: Database): TokenStore {
  const db = database.drizzle
  const where = (condition: ReturnType<typeof eq>) => db.select().from(tokens).where(condition).prepare()
  const byId = where(eq(tokens.id, sql.placeholder('id')))
  const byDigest = where(eq(tokens.digest, sql.placeholder('digest')))
  const byAccessor = db
    .select()
    .from(tokens)
    .where(
      and(eq(tokens.namespaceId, sql.placeholder('namespaceId')), eq(tokens.accessor, sql.placeholder('accessor'))),
    )
    .prepare()
  const accessors = db
    .select({ accessor: tokens.accessor })
    .from(tokens)
    .where(eq(tokens.namespaceId, sql.placeholder('namespaceId')))
    .orderBy(asc(tokens.accessor))
    .prepare()
  const count = db
    .select({ count: sql<number>`count(*)` })
    .from(tokens)
    .where(eq(tokens.namespaceId, sql.placeholder('namespaceId')))
    .prepare()
  const insert = insertToken(database)
  const revokeTree = database.sqlite.prepare(
    `WITH RECURSIVE tree(id) AS (
       SELECT id FROM tokens WHERE id = ?
       UNION SELECT child.id FROM tokens AS child JOIN tree ON child.parent_id = tree.id
     ) DELETE FROM tokens WHERE id IN tree`,
  )
  const orphan = database.sqlite.prepare('UPDATE tokens SET parent_id = NULL WHERE parent_id = ?')
  const remove = database.sqlite.prepare('DELETE FROM tokens WHERE id = ?')
  const allSigningKeys = db.select().from(signingKeys).orderBy(desc(signingKeys.createdAt)).prepare()
  const expired = database.sqlite
    .prepare<[number, number], string>('SELECT id FROM tokens WHERE expires_at <= ? ORDER BY expires_at LIMIT ?')
    .pluck()
  const typed = (row: (Omit<TokenRow, 'type'> & { type: string }) | undefined): TokenRow | undefined =>
    row && { ...row, type: row.type === 'batch' ? 'batch' : 'service' }

  return {
    byId: (id) => typed(byId.get({ id })),
    byDigest: (digest) => typed(byDigest.get({ digest })),
    byAccessor: (namespaceId, accessor) => typed(byAccessor.get({ namespaceId, accessor })),
    accessors: (namespaceId) => accessors.all({ namespaceId }).map((row) => row.accessor),
    count: (namespaceId) => count.get({ namespaceId })?.count ?? 0,
    create: (token) =>
      database.write(() => {
        if (token.parentId !== null) {
          const parent = byId.get({ id: token.parentId })
          if (!parent || (parent.expiresAt !== null && parent.expiresAt <= token.createdAt)) {
            throw new KeyferryError('denied', 'permission denied')
          }
        }
        insert(token)
      }),
    renew: (id, decide, now) =>
      database.write(() => {
        const row = typed(byId.get({ id }))
        if (!row) throw new KeyferryError('not_found', 'the token is gone')
        const change = { expiresAt: decide(row).expiresAt, renewedAt: now }
        db.update(tokens).set(change).where(eq(tokens.id, id)).run()
        return { ...row, ...change }
      }),
    use: (id) =>
      database.write(() => {
        const row = byId.get({ id })
        if (!row) return false
        if (row.numUses === 1) revokeTree.run(id)
        else if (row.numUses > 1)
          db.update(tokens)
            .set({ numUses: row.numUses - 1 })
            .where(eq(tokens.id, id))
            .run()
        return true
      }),
    revoke: (id, children) =>
      database.write(() => {
        if (children === 'revoke') return revokeTree.run(id).changes > 0
        orphan.run(id)
        return remove.run(id).changes > 0
      }),
    expire: async (now, limit) => {
      // Where there is nothing to do, nothing is written: other processes would drop what they remember.
      if (expired.all(now, 1).length === 0) return 0
      return await database.write(() => {
        const ids = expired.all(now, limit)
        for (const id of ids) revokeTree.run(id)
        return ids.length
      })
    },
    replace: (path, token) =>
      database.write(() => {
        for (const { id } of db.select({ id: tokens.id }).from(tokens).where(eq(tokens.path, path)).all())
          revokeTree.run(id)
        insert(token)
      }),
    signingKeys: () => allSigningKeys.all(),
    addSigningKey: (row, retireAt, check) =>
      database.write(() => {
        check(allSigningKeys.all())
        db.update(signingKeys).set({ retiredAt: retireAt }).where(isNull(signingKeys.retiredAt)).run()
        db.insert(signingKeys).values(row).run()
      }),
    forgetSigningKeys: async (retiredBefore) => {
      const over = lte(signingKeys.retiredAt, retiredBefore)
      if (!db.select({ kid: signingKeys.kid }).from(signingKeys).where(over).limit(1).get()) return 0
      return await database.write(() => db.delete(signingKeys).where(over).run().changes)
    },
  }
}

/** A prepared insert of a token: the hot path of logins. */
function insertToken(database: Database): (token: TokenRow) => void {
  const values = Object.fromEntries(Object.keys(getTableColumns(tokens)).map((name) => [name, sql.placeholder(name)]))
  const insert = database.drizzle
    .insert(tokens)
    .values(values as unknown as typeof tokens.$inferInsert)
    .prepare()
  return (token) => void insert.run({ ...token, renewable: token.renewable })
}
