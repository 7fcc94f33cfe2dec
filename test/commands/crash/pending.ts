import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import Sqlite from 'better-sqlite3'
import { Keyring } from '../../../src/core/seal/keyring.ts'
import { parseRootKey } from '../../../src/core/seal/root-key.ts'
import type { CopyRow } from '../../../src/core/store.ts'
import { openStore } from '../../../src/store/sqlite/index.ts'

/**
 * Records that so many keys are to be distributed, as a gateway would that had no time to do it: one key each, over the KMSs there are in turn.
 * Nobody may work on the database meanwhile.
 */
export async function recordDistributions(file: string, rootKeyFile: string, count: number): Promise<void> {
  const database = new Sqlite(file, { readonly: true })
  const kms = database.prepare<[], { id: string; vault: string }>('SELECT id, key_collection AS vault FROM kms').all()
  database.close()
  const now = Date.now()
  const store = openStore({ file })
  const roots = [parseRootKey(readFileSync(rootKeyFile, 'utf8'), rootKeyFile)]
  const keyring = new Keyring(roots, store.namespaces, () => store.meta.get('root_id'))
  try {
    const [mount] = await store.mounts.list('root')
    const scope = { namespaceId: 'root', mountId: mount?.id ?? '' }
    const sealer = await keyring.forNamespace('root')
    await Promise.all(
      Array.from({ length: count }, async (_, number) => {
        const { id: kmsId, vault } = kms[number % kms.length] ?? { id: '', vault: '' }
        const id = randomUUID()
        const pair = generateKeyPairSync('ec', {
          namedCurve: 'P-256',
          publicKeyEncoding: { type: 'spki', format: 'pem' },
          privateKeyEncoding: { type: 'pkcs8', format: 'der' },
        })
        const box = sealer.seal({ objectId: id, version: 1, kind: 'key-material' }, pair.privateKey)
        const settings = {
          ...{ latestVersion: 1, minEnabledVersion: 1, deletionAllowed: false, replicaRegions: null, createdAt: now },
          ...{ autoRotatePeriod: 0, nextRotationAt: null, maxEnabledVersions: 0 },
        }
        await store.keys.create(
          { id, ...scope, name: `pending-${number}`, type: 'ecdsa-p256', ...settings },
          { publicKey: pair.publicKey, box, createdAt: now },
        )
        const copy: CopyRow = {
          ...{ id: randomUUID(), ...scope, keyId: id, kmsId, collection: `https://${vault}.vault.azure.net` },
          ...{ remoteName: `pending-${number}`, protection: 'hsm', purposes: ['sign'], options: {}, repair: 'report' },
          ...{ desired: 'present', generation: 1, seenGeneration: 0, state: 'pending', reason: null, attempts: 0 },
          ...{ nextAttemptAt: now, distributedAt: now, settingsBox: null, drift: [] },
          ...{ deleteSentAt: null, recoverySentAt: null },
          ...{ leaseOwner: null, leaseUntil: 0, fence: 0, nextLookAt: now + 24 * 3_600_000, lookedAt: null },
        }
        await store.copies.create(copy, randomUUID())
      }),
    )
  } finally {
    keyring.close()
    store.close()
  }
}

/** How far distributions got: a database that is being worked on, looked at from outside. */
export class Progress {
  readonly #database: InstanceType<typeof Sqlite>
  readonly #statements: Record<'done' | 'pending' | 'leased', Sqlite.Statement<unknown[], number>>

  constructor(file: string) {
    this.#database = new Sqlite(file, { readonly: true })
    const count = (sql: string) => this.#database.prepare<unknown[], number>(`SELECT count(*) FROM ${sql}`).pluck()
    this.#statements = {
      done: count("operations WHERE state = 'succeeded'"),
      pending: count("operations WHERE state = 'pending'"),
      leased: count('copies WHERE lease_owner = ?'),
    }
  }

  get done(): number {
    return this.#statements.done.get() ?? 0
  }

  get pending(): number {
    return this.#statements.pending.get() ?? 0
  }

  /** Who holds leases now. */
  owners(): string[] {
    return this.#database
      .prepare<[], string>('SELECT DISTINCT lease_owner FROM copies WHERE lease_owner IS NOT NULL')
      .pluck()
      .all()
  }

  /** How many copies one of them holds. */
  leasedBy(owner: string): number {
    return this.#statements.leased.get(owner) ?? 0
  }

  async until(reached: () => boolean, patienceMs: number): Promise<void> {
    const end = Date.now() + patienceMs
    while (!reached()) {
      if (Date.now() > end) throw new Error(`it did not come to that: ${this.done} done, ${this.pending} pending`)
      await new Promise((go) => setTimeout(go, 5))
    }
  }

  close(): void {
    this.#database.close()
  }
}

/** What came of a gateway that was killed with much to do, and of the next one. Times in ms from the first answer of that one. */
export interface Recovery {
  pending: number
  /** Copies whose work was under way when it was killed, with an import perhaps sent. */
  underWay: number
  /** Until the first operation after it was done, all that was under way was taken up again, and everything was done. */
  firstDoneMs: number
  takenUpMs: number
  allDoneMs: number
}

/** Kills a gateway once it is at work in earnest, starts another one and watches it to the end. `start` resolves at the first answer. */
export async function recover(
  file: string,
  gateway: { start(): Promise<unknown>; kill(): Promise<unknown> },
  patienceMs: number,
): Promise<Recovery> {
  await gateway.start()
  const progress = new Progress(file)
  try {
    const before = progress.done
    await progress.until(() => progress.done >= before + 30 && progress.owners().length > 0, patienceMs)
    await gateway.kill()
    const [dead = ''] = progress.owners()
    const [pending, underWay, done] = [progress.pending, progress.leasedBy(dead), progress.done]
    await gateway.start()
    const answered = performance.now()
    const since = () => performance.now() - answered
    let firstDoneMs = Number.NaN
    let takenUpMs = Number.NaN
    await progress.until(() => {
      if (Number.isNaN(firstDoneMs) && progress.done > done) firstDoneMs = since()
      if (Number.isNaN(takenUpMs) && progress.leasedBy(dead) === 0) takenUpMs = since()
      return progress.pending === 0
    }, patienceMs)
    return { pending, underWay, firstDoneMs, takenUpMs, allDoneMs: since() }
  } finally {
    progress.close()
  }
}
