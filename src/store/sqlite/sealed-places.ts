import type { Binding } from '../../core/seal/box.ts'

/** A column that holds sealed boxes. All but the kind are SQL, over the columns of the table. */
export interface SealedPlace {
  table: string
  /** The columns that name a row. */
  key: readonly string[]
  box: string
  namespaceId: string
  objectId: string
  version: string
  kind: Exclude<Binding['kind'], 'data-key'>
}

/** Every column that holds boxes under data keys. A test compares the list with the schema. */
export const sealedPlaces: readonly SealedPlace[] = [
  {
    table: 'key_versions',
    key: ['key_id', 'version'],
    box: 'box',
    namespaceId: 'namespace_id',
    objectId: 'key_id',
    version: 'version',
    kind: 'key-material',
  },
  {
    table: 'kms',
    key: ['id'],
    box: 'settings_box',
    namespaceId: 'namespace_id',
    objectId: 'id',
    version: '0',
    kind: 'kms-settings',
  },
  {
    table: 'copies',
    key: ['id'],
    box: 'settings_box',
    namespaceId: 'namespace_id',
    objectId: 'id',
    version: '0',
    kind: 'kms-settings',
  },
  {
    table: 'signing_keys',
    key: ['kid'],
    box: 'box',
    namespaceId: `'root'`,
    objectId: 'kid',
    version: '0',
    kind: 'token-signing-key',
  },
  {
    table: 'instance_secrets',
    key: ['name'],
    box: 'box',
    namespaceId: `'root'`,
    objectId: 'name',
    version: '0',
    kind: 'audit-secret',
  },
  {
    table: 'wrapped',
    key: ['id'],
    box: 'box',
    namespaceId: 'namespace_id',
    objectId: 'id',
    version: '0',
    kind: 'wrapped-response',
  },
  {
    table: 'idempotent_requests',
    key: ['id'],
    box: 'box',
    namespaceId: 'namespace_id',
    objectId: 'id',
    version: '0',
    kind: 'idempotent-answer',
  },
]

/** SQL for the id of the key that a box is sealed under: see core/seal/box.ts. */
export function sealedUnderSql(box: string): string {
  return `lower(hex(substr(${box}, 2, 16)))`
}

/** Names in meta: a data key that was replaced, and one that is retired. */
export const replacedPrefix = 'replaced_data_key:'
export const retiredPrefix = 'retired_data_key:'
export const sealsPrefix = 'seals:'
export const processPrefix = 'process:'
export const rootIdName = 'root_id'
export const rootRotationName = 'root_rotation'
