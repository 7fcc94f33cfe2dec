import type { EngineCall, Route } from '../route.ts'
import { copy } from './copy.ts'
import { copyReplicate } from './copy-replicate.ts'
import { key } from './key.ts'
import { keyKms } from './key-kms.ts'
import { keyRotate } from './key-rotate.ts'
import { keys } from './keys.ts'
import { kms } from './kms.ts'
import { kmsDiagnose } from './kms-diagnose.ts'
import { kmsKekRotate } from './kms-kek.ts'
import { kmsKeys } from './kms-keys.ts'
import { kmsList } from './kms-list.ts'
import { kmsReconcile } from './kms-reconcile.ts'
import { operation, operationCancel, operationRetry, operations } from './operations.ts'

/** Every path of Vault's Key Management secrets engine, and those that there are beside. */
export const keymgmtRoutes: readonly Route<EngineCall>[] = [
  keys,
  key,
  keyRotate,
  keyKms,
  kmsList,
  kms,
  kmsDiagnose,
  kmsKekRotate,
  kmsKeys,
  copy,
  copyReplicate,
  kmsReconcile,
  operations,
  operation,
  operationRetry,
  operationCancel,
]
