import type { Awaitable } from './awaitable.ts'

export interface TokenRow {
  id: string
  namespaceId: string
  accessor: string
  parentId: string | null
  type: 'service' | 'batch'
  displayName: string
  policies: string[]
  meta: Record<string, string>
  /** The path that it was made by: `auth/token/create`. */
  path: string
  /** The role that it was made with; '' for none. */
  role: string
  renewable: boolean
  /** Seconds; 0: none. */
  creationTtl: number
  explicitMaxTtl: number
  period: number
  /** What is left of them; 0: any number. */
  numUses: number
  boundCidrs: string[]
  createdAt: number
  renewedAt: number | null
  /** Null: never. */
  expiresAt: number | null
  /** The `exp` of its string: no renewal goes beyond. */
  outerBound: number
  digest: string | null
}

/** A role of a door: what tokens made through it are like. */
export interface RoleRow {
  id: string
  namespaceId: string
  /** `token`, or the id of an auth mount. */
  door: string
  name: string
  config: Record<string, unknown>
  roleId: string | null
  createdAt: number
}

/** A door other than tokens: what is at `auth/<path>` of a namespace. */
export interface AuthMountRow {
  id: string
  namespaceId: string
  /** With its final slash, without `auth/` before it: `approle/`. */
  path: string
  type: string
  accessor: string
  description: string
  /** Settings of the mount itself, as `sys/auth/<path>/tune` has them. */
  tune: Record<string, unknown>
  /** What `auth/<path>/config` holds: nothing secret. */
  config: Record<string, unknown>
  createdAt: number
}

/** A secret id of an AppRole; of the secret itself only a digest. */
export interface SecretIdRow {
  accessor: string
  namespaceId: string
  /** The row of the role, not its role id. */
  role: string
  digest: string
  meta: Record<string, string>
  /** Where it may be used from; [] is anywhere. */
  cidrs: string[]
  /** Where tokens made with it may be used from; [] is what the role says. */
  tokenCidrs: string[]
  /** Uses left; 0: any number. */
  numUses: number
  /** Seconds; 0: no end. */
  ttl: number
  createdAt: number
  expiresAt: number | null
}

export interface SigningKeyRow {
  kid: string
  algorithm: string
  publicJwk: Record<string, string>
  box: Buffer
  createdAt: number
  retiredAt: number | null
}

export interface TokenStore {
  byId(id: string): Awaitable<TokenRow | undefined>
  byDigest(digest: string): Awaitable<TokenRow | undefined>
  byAccessor(namespaceId: string, accessor: string): Awaitable<TokenRow | undefined>
  accessors(namespaceId: string): Awaitable<string[]>
  count(namespaceId: string): Awaitable<number>
  /** Throws `denied` when the parent is gone or has expired meanwhile. */
  create(token: TokenRow): Promise<void>
  /** Changes the end of a token's life; `decide` is called inside the change. Throws `not_found` when it is gone. */
  renew(id: string, decide: (token: TokenRow) => { expiresAt: number | null }, now: number): Promise<TokenRow>
  /** Takes one of the uses of a token that has a number of them; at the last one it is revoked. False: there was none left. */
  use(id: string): Promise<boolean>
  /** Revokes a token; its children with it, or they become orphans. False: it was gone. */
  revoke(id: string, children: 'revoke' | 'orphan'): Promise<boolean>
  /** Revokes what has expired, with its children, at most `limit`. Gives how many. */
  expire(now: number, limit: number): Promise<number>
  /** Removes every token that was made by `initialise` or by dev mode with this path, before a new one is put in its place. */
  replace(path: string, token: TokenRow): Promise<void>
  /** The newest first. */
  signingKeys(): Awaitable<SigningKeyRow[]>
  /** `check` is called inside the change with those that are there, and may throw; of these, who does not yet know retires at `retireAt`. */
  addSigningKey(row: SigningKeyRow, retireAt: number, check: (rows: SigningKeyRow[]) => void): Promise<void>
  /** Forgets those that have retired before a time. Gives how many. */
  forgetSigningKeys(retiredBefore: number): Promise<number>
}

export interface RoleStore {
  find(namespaceId: string, door: string, name: string): Awaitable<RoleRow | undefined>
  byRoleId(roleId: string): Awaitable<RoleRow | undefined>
  names(namespaceId: string, door: string): Awaitable<string[]>
  /** Makes or replaces the role of that name; `id` and `createdAt` of an existing one stay. Throws `conflict` for a taken role id. */
  put(role: RoleRow): Promise<void>
  /**
   * The same, where what it becomes depends on what it is: `decide` is called inside the change with the role as it is then, and may
   * throw to refuse.
   */
  change(namespaceId: string, door: string, name: string, decide: (role: RoleRow | undefined) => RoleRow): Promise<void>
  /** With its secret ids. */
  remove(namespaceId: string, door: string, name: string): Promise<void>
}

/** An answer that waits to be unwrapped once. */
export interface WrappedRow {
  id: string
  namespaceId: string
  accessor: string
  creationPath: string
  box: Buffer
  /** Seconds. */
  ttl: number
  createdAt: number
  expiresAt: number
}

export interface WrappedStore {
  byId(id: string): Awaitable<WrappedRow | undefined>
  create(row: WrappedRow): Promise<void>
  /** Takes it away: of any number of callers, in any process, one gets it. */
  take(id: string): Promise<WrappedRow | undefined>
  expire(now: number, limit: number): Promise<number>
}

export interface AuthMountStore {
  /** In order of their paths. */
  list(namespaceId: string): Awaitable<AuthMountRow[]>
  byId(id: string): Awaitable<AuthMountRow | undefined>
  /** Throws `already_exists` when the path is taken, or is in front of or below one that is. */
  create(mount: AuthMountRow): Promise<void>
  /** `decide` is called inside the change with the mount as it is then. Throws `not_found` when it is gone. */
  change(
    namespaceId: string,
    id: string,
    decide: (mount: AuthMountRow) => Partial<Pick<AuthMountRow, 'description' | 'tune' | 'config'>>,
  ): Promise<void>
  /** Removes the mount with its roles and secret ids, and revokes the tokens made through it (their `path`), with their children. */
  remove(namespaceId: string, id: string, tokenPath: string): Promise<void>
}

export interface SecretIdStore {
  find(role: string, digest: string): Awaitable<SecretIdRow | undefined>
  byAccessor(role: string, accessor: string): Awaitable<SecretIdRow | undefined>
  accessors(role: string): Awaitable<string[]>
  /** Throws `not_found` when the role is gone, `already_exists` when the role has a secret id of this digest. */
  create(secretId: SecretIdRow): Promise<void>
  /**
   * Takes one use of a secret id, and forgets it at the last one. `check` is called inside the change, and may refuse: then no use is
   * taken. Gives the row as it was; undefined when there is none, it has run out, or was refused.
   */
  use(
    role: string,
    digest: string,
    now: number,
    check: (secretId: SecretIdRow) => boolean,
  ): Promise<SecretIdRow | undefined>
  /** False: it was gone. */
  remove(role: string, accessor: string): Promise<boolean>
  /** Forgets those that have run out, at most `limit`. Gives how many. */
  expire(now: number, limit: number): Promise<number>
}
