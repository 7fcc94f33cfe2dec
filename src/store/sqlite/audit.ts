import type { AuditStore } from '../../core/store.ts'
import type { Database } from './database.ts'
import { eq, sql } from './drizzle.ts'
import { auditHeads, instanceSecrets } from './schema.ts'

export function auditStore(database: Database): AuditStore {
  const db = database.drizzle
  const secret = db
    .select({ box: instanceSecrets.box })
    .from(instanceSecrets)
    .where(eq(instanceSecrets.name, sql.placeholder('name')))
    .prepare()
  return {
    secret: (make) =>
      database.write(() => {
        const known = secret.get({ name: 'audit' })
        if (known) return known.box
        const box = make()
        db.insert(instanceSecrets).values({ name: 'audit', box }).run()
        return box
      }),
    heads: (sink) =>
      db
        .select({ sink: auditHeads.sink, run: auditHeads.run, sequence: auditHeads.sequence, mac: auditHeads.mac })
        .from(auditHeads)
        .where(eq(auditHeads.sink, sink))
        .all(),
    keepHeads: (heads, now) =>
      database.write(() => {
        for (const head of heads) {
          const { sequence, mac } = head
          db.insert(auditHeads)
            .values({ ...head, at: now })
            .onConflictDoUpdate({ target: [auditHeads.sink, auditHeads.run], set: { sequence, mac, at: now } })
            .run()
        }
      }),
  }
}
