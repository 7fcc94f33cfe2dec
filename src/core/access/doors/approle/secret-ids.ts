import { createHash, randomBytes } from 'node:crypto'
import type { Context } from '../../../context.ts'
import { invalid } from '../../../errors.ts'
import type { AuthMountRow, SecretIdRow, SecretIdStore } from '../../../store.ts'
import { checkCidrs, withinCidrs } from '../../cidrs.ts'
import { type AppRole, checkCount } from './role.ts'
import type { AppRoleService } from './roles.ts'

/** What a secret id may be asked to be like. Durations in seconds. */
export interface SecretIdInput {
  /** One's own secret; undefined: a random one of 256 bits. */
  secretId?: string
  meta?: Record<string, string>
  cidrs?: string[]
  tokenCidrs?: string[]
  numUses?: number
  ttl?: number
}

export interface SecretIdServiceParts {
  context: Context
  store: { secretIds: SecretIdStore }
  roles: AppRoleService
  /** A fresh secret; random by itself. */
  newSecret?: () => string
}

const mostMeta = 64
/** A secret of one's own is guarded by a plain hash, so it has to be hard to guess. */
const fewestCharacters = 16
const mostCharacters = 4096

/** The secret ids of AppRoles. The secret itself is given once, and only its hash is kept. */
export class SecretIdService {
  readonly #parts: SecretIdServiceParts

  constructor(parts: SecretIdServiceParts) {
    this.#parts = parts
  }

  /** Makes one. Throws `not_found` without the role, `invalid` for what goes beyond it. */
  async create(
    mount: AuthMountRow,
    roleName: string,
    input: SecretIdInput,
  ): Promise<{ secretId: string; row: SecretIdRow }> {
    const { context, store, roles, newSecret = () => randomBytes(32).toString('base64url') } = this.#parts
    const { row: role, role: rule } = await roles.get(mount, roleName)
    if (!rule.bindSecretId) throw invalid('bind_secret_id is not set on the role')
    if (input.secretId !== undefined) checkSecret(input.secretId)
    const secretId = input.secretId ?? newSecret()
    const numUses = within('num_uses', input.numUses, rule.secretIdNumUses)
    const ttl = within('ttl', input.ttl, rule.secretIdTtl)
    const now = context.now()
    const row: SecretIdRow = {
      accessor: context.uuid(),
      namespaceId: mount.namespaceId,
      role: role.id,
      digest: secretDigest(role.id, secretId),
      meta: checkMeta(input.meta ?? {}),
      cidrs: cidrsWithin('cidr_list', input.cidrs ?? [], 'secret_id_bound_cidrs', rule.secretIdBoundCidrs),
      tokenCidrs: cidrsWithin('token_bound_cidrs', input.tokenCidrs ?? [], 'token_bound_cidrs', rule.token.boundCidrs),
      numUses,
      ttl,
      createdAt: now,
      expiresAt: ttl === 0 ? null : now + ttl * 1000,
    }
    await store.secretIds.create(row)
    return { secretId, row }
  }

  /** Accessors, in order. Throws `not_found` without the role. */
  async accessors(mount: AuthMountRow, roleName: string): Promise<string[]> {
    const { row } = await this.#parts.roles.get(mount, roleName)
    return await this.#parts.store.secretIds.accessors(row.id)
  }

  /** What is known of a secret id, by itself or by its accessor; undefined when there is none. Throws `not_found` without the role. */
  async find(
    mount: AuthMountRow,
    roleName: string,
    by: { secretId: string } | { accessor: string },
  ): Promise<{ row: SecretIdRow; role: AppRole } | undefined> {
    const { store, roles, context } = this.#parts
    const { row: owner, role } = await roles.get(mount, roleName)
    const row =
      'secretId' in by
        ? await store.secretIds.find(owner.id, secretDigest(owner.id, by.secretId))
        : await store.secretIds.byAccessor(owner.id, by.accessor)
    return row && (row.expiresAt === null || row.expiresAt > context.now()) ? { row, role } : undefined
  }

  /** Forgets one. False: there was none. */
  async destroy(
    mount: AuthMountRow,
    roleName: string,
    by: { secretId: string } | { accessor: string },
  ): Promise<boolean> {
    const found = await this.find(mount, roleName, by)
    return found !== undefined && (await this.#parts.store.secretIds.remove(found.row.role, found.row.accessor))
  }

  /** Forgets what has run out, at most `limit`. Gives how many. */
  async expire(limit: number): Promise<number> {
    return await this.#parts.store.secretIds.expire(this.#parts.context.now(), limit)
  }
}

/** Hex. Bound to the role, so that one secret in two roles has two digests. */
export function secretDigest(role: string, secretId: string): string {
  return createHash('sha256').update(`${role}\n${secretId}`).digest('hex')
}

function checkSecret(secretId: string): void {
  if (secretId.length >= fewestCharacters && secretId.length <= mostCharacters) return
  throw invalid(`secret_id: allowed are ${fewestCharacters} to ${mostCharacters} characters, best random ones`)
}

/** What is asked for, within what the role allows (0: no limit); nothing asked for is the role's. */
function within(field: string, asked: number | undefined, most: number): number {
  if (asked === undefined) return most
  checkCount(field, asked)
  if (most > 0 && (asked === 0 || asked > most)) {
    throw invalid(`${field} cannot be higher than the role's secret_id_${field} of ${most}`)
  }
  return asked
}

function cidrsWithin(field: string, cidrs: string[], ruleField: string, rule: string[]): string[] {
  checkCidrs(field, cidrs)
  if (!cidrs.every(withinCidrs(rule))) {
    throw invalid(`${field} must be within the role's ${ruleField}`)
  }
  return cidrs
}

function checkMeta(meta: Record<string, string>): Record<string, string> {
  const entries = Object.entries(meta)
  if (entries.length > mostMeta) throw invalid(`metadata can have ${mostMeta} entries`)
  for (const [key, value] of entries) {
    if (key.length === 0 || key.length > 128 || value.length > 512) {
      throw invalid('metadata: allowed are keys of 1 to 128 and values of up to 512 characters')
    }
  }
  return meta
}
