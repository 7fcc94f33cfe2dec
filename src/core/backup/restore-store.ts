import type { Awaitable, CopyRow, SigningKeyRow, TokenRow } from '../store.ts'

/** Why nothing is sent to any cloud: the database came out of a backup, and the clouds may know more than it does. */
export interface Hold {
  /** ms since 1970. */
  since: number
  backupMadeAt: number
}

/** A version in a cloud that the database lost: made after the backup was, by the gateway that the backup is of. */
export interface LostVersion {
  copyId: string
  /** Its number, as its import id says. */
  version: number
  importId: string
  remoteVersion: string
  enabled: boolean
}

/** What a restore asks of a store. */
export interface RestoreStore {
  /**
   * Everything that gives access is gone but one fresh root token: tokens, secret ids, answers that wait to be unwrapped, and the keys that
   * signed tokens until now. Copies are held, leases and processes forgotten.
   */
  restored(change: { hold: Hold; signingKey: SigningKeyRow; token: TokenRow }): Promise<Revoked>
  /** Set from a restore until it is released. */
  hold(): Awaitable<Hold | undefined>
  /** Copies that should be present, a page in order of their ids. */
  presentCopies(after: string, limit: number): Awaitable<CopyRow[]>
  /** New versions of these keys will have higher numbers than these; a lower one changes nothing. */
  raiseVersions(floors: readonly { keyId: string; version: number }[]): Promise<void>
  /**
   * Copies may be worked on again, each present one at once. What was lost is known from now on as a version of its copy, whose material
   * is in the cloud alone. Throws `invalid` when nothing is held.
   */
  release(lost: readonly LostVersion[], now: number): Promise<{ copies: number }>
}

export interface Revoked {
  tokens: number
  secretIds: number
  wrapped: number
}
