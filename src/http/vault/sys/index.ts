import type { PublicRoute, Route, SystemCall } from '../route.ts'
import { auditDevices } from './audit.ts'
import { auditHash } from './audit-hash.ts'
import { authMount, authMountInMounts, authMounts, authMountTune, authMountTuneInMounts } from './auth-mounts.ts'
import { capabilities, capabilitiesAccessor, capabilitiesSelf } from './capabilities.ts'
import { health } from './health.ts'
import { init } from './init.ts'
import { leader } from './leader.ts'
import { licenseStatus } from './license-status.ts'
import { metrics } from './metrics.ts'
import { mount } from './mount.ts'
import { mountTune } from './mount-tune.ts'
import { mounts } from './mounts.ts'
import { namespaceAt, namespaces } from './namespaces.ts'
import { openApi } from './openapi.ts'
import { sysOperation, sysOperationRetry, sysOperations } from './operations.ts'
import { oldPolicies, oldPolicy, policies, policy } from './policies.ts'
import { rateLimit, rateLimits } from './quotas.ts'
import { remount, remountStatus } from './remount.ts'
import { rotate } from './rotate.ts'
import { rotateSigningKey } from './rotate-signing-key.ts'
import { sealStatus } from './seal-status.ts'
import { uiMount } from './ui-mount.ts'
import { uiMounts } from './ui-mounts.ts'
import { wrappingLookup, wrappingUnwrap, wrappingWrap } from './wrapping.ts'

/** What everybody may ask, without a token. */
export const publicRoutes: readonly PublicRoute[] = [health, sealStatus, init, leader]

/** What a namespace has under `sys/`. */
export const sysRoutes: readonly Route<SystemCall>[] = [
  auditDevices,
  auditHash,
  authMounts,
  authMount,
  authMountTune,
  authMountInMounts,
  authMountTuneInMounts,
  mounts,
  mount,
  mountTune,
  remount,
  remountStatus,
  sysOperations,
  sysOperation,
  sysOperationRetry,
  uiMounts,
  uiMount,
  policies,
  policy,
  oldPolicies,
  oldPolicy,
  capabilities,
  capabilitiesSelf,
  capabilitiesAccessor,
  namespaces,
  namespaceAt,
  wrappingLookup,
  wrappingUnwrap,
  wrappingWrap,
  rateLimits,
  rateLimit,
  rotate,
  rotateSigningKey,
  licenseStatus,
  metrics,
  openApi,
]
