import { KeyferryError } from '../../core/errors.ts'
import type { MetaStore } from '../../core/store.ts'
import type { Database } from './database.ts'
import { eq, sql } from './drizzle.ts'
import { dataKeys, meta, mounts, namespaces, signingKeys, tokens } from './schema.ts'

export function metaStore(database: Database): MetaStore {
  const db = database.drizzle
  const get = db
    .select({ value: meta.value })
    .from(meta)
    .where(eq(meta.key, sql.placeholder('key')))
    .prepare()
  return {
    get: (key) => get.get({ key })?.value,
    initialise: (first) =>
      database.write(() => {
        if (get.get({ key: 'instance_id' }))
          throw new KeyferryError('already_exists', 'the database was initialised before')
        for (const [key, value] of Object.entries(first.meta)) db.insert(meta).values({ key, value }).run()
        db.insert(namespaces).values(first.namespace).run()
        db.insert(dataKeys).values(first.dataKey).run()
        db.insert(signingKeys).values(first.signingKey).run()
        db.insert(mounts).values(first.mount).run()
        db.insert(tokens).values(first.token).run()
      }),
  }
}
