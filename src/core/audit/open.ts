import { randomBytes } from 'node:crypto'
import type { Context } from '../context.ts'
import type { Keyring } from '../seal/keyring.ts'
import type { AuditStore } from '../store.ts'
import { type AuditOptions, AuditService } from './service.ts'

const binding = { objectId: 'audit', version: 0, kind: 'audit-secret' } as const

/** The secret that salts and chains the audit log, made at first use. The caller zeroes it. */
export async function auditSecret(store: AuditStore, keyring: Keyring): Promise<Buffer> {
  const sealer = await keyring.forNamespace('root')
  const fresh = randomBytes(32)
  try {
    return sealer.open(binding, await store.secret(() => sealer.seal(binding, fresh)))
  } finally {
    fresh.fill(0)
  }
}

/** The audit log of an instance. Without sinks it records nothing. */
export async function openAudit(
  parts: { context: Context; store: { audit: AuditStore }; keyring: Keyring },
  options: AuditOptions | undefined,
): Promise<AuditService> {
  const { context, store, keyring } = parts
  return new AuditService({
    context,
    sinks: options?.sinks ?? [],
    elideListResponses: options?.elideListResponses ?? false,
    auditKey: await auditSecret(store.audit, keyring),
    keepHeads: (heads) => store.audit.keepHeads(heads, context.now()),
  })
}
