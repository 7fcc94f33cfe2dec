import type { AuditedCall, CalledPlace } from '../audit/cloud.ts'
import type { AuditService } from '../audit/service.ts'
import type { Context } from '../context.ts'
import { versionOfImportId } from '../distribution/import-id.ts'
import type { CloudOperation, CloudOutcome, Observer } from '../telemetry.ts'
import { currentCause } from './cause.ts'
import {
  CloudError,
  type Connection,
  type ReadVersion,
  type RemoteKey,
  type VersionChange,
  type WrappingKeyRotation,
} from './provider.ts'

export interface ObservedParts {
  context: Pick<Context, 'now' | 'uuid'>
  audit: AuditService
  observer: Observer
}

/** What changes something in a cloud, and so is recorded also before it is sent. */
const changing: ReadonlySet<CloudOperation> = new Set(['import', 'update', 'delete', 'recover', 'rotate'])
/** A change that takes longer than this to be recorded is not sent: whoever sends it counts from before. */
const latestDepartureMs = 1_000

type Data = Record<string, unknown>

/**
 * The one place that every call to a cloud goes through: it is counted, and recorded in the audit log with what came of it. A call that is
 * to change something is recorded before it is sent, and not sent where no sink takes that: then it throws `unavailable`, without effect.
 * What came of a call that was sent is given to the caller also where it cannot be recorded: to lose it would be worse.
 */
export function observed(inner: Connection, place: CalledPlace, parts: ObservedParts): Connection {
  const { context, audit, observer } = parts
  const call = async <T>(
    operation: CloudOperation,
    data: Data,
    work: () => T | Promise<T>,
    shown: (value: T) => Data,
  ): Promise<T> => {
    const about = audit.on ? { id: context.uuid(), operation, place, cause: currentCause(), data } : undefined
    const begun = context.now()
    if (about && changing.has(operation)) {
      try {
        await recordBefore(about, parts)
      } catch (error) {
        observer.cloudCall(place.provider, operation, 'unrecorded', context.now() - begun)
        throw error
      }
    }
    const sent = context.now()
    const ended = async (
      outcome: CloudOutcome,
      more: { status?: number | undefined; code?: string | undefined; data?: Data },
    ) => {
      const ms = context.now() - sent
      observer.cloudCall(place.provider, operation, outcome, ms)
      // The broker has logged it where this fails.
      if (about) await audit.cloudResponse(about, { outcome, ms, ...more }).catch(() => {})
    }
    let value: T
    try {
      value = await work()
    } catch (error) {
      if (error instanceof CloudError) await ended(error.kind, { status: error.status, code: error.serviceCode })
      else await ended('failed', {})
      throw error
    }
    await ended('ok', { data: shown(value) })
    return value
  }
  const { changeVersion, recover, diagnose, rotateWrappingKey, close } = bound(inner)
  return {
    importVersion: (request) => {
      const { remoteName, importId, material, protection, purposes, enabled } = request
      const version = versionOfImportId(importId)
      const named = { remote_name: remoteName, import_id: importId, ...(version !== undefined && { version }) }
      const data = { ...named, type: material.type, protection, purpose: [...purposes], enabled }
      return call('import', data, () => inner.importVersion(request), versionShown)
    },
    setVersionEnabled: (remoteName, remoteVersion, enabled) =>
      call(
        'update',
        { remote_name: remoteName, remote_version: remoteVersion, enabled },
        () => inner.setVersionEnabled(remoteName, remoteVersion, enabled),
        () => ({}),
      ),
    describe: (remoteName, options) =>
      call('describe', { remote_name: remoteName }, () => inner.describe(remoteName, options), remoteKeyShown),
    readVersion: (remoteName, remoteVersion) =>
      call(
        'read',
        { remote_name: remoteName, remote_version: remoteVersion },
        () => inner.readVersion(remoteName, remoteVersion),
        (seen) => (seen ? versionShown(seen) : { state: 'absent' }),
      ),
    remove: (remoteName) =>
      call(
        'delete',
        { remote_name: remoteName },
        () => inner.remove(remoteName),
        () => ({}),
      ),
    canListVersions: () => {
      const answer = inner.canListVersions()
      // What is known already is no call.
      return typeof answer === 'boolean'
        ? answer
        : call(
            'list',
            {},
            () => answer,
            (permitted) => ({ permitted }),
          )
    },
    ...(changeVersion && {
      changeVersion: (remoteName: string, remoteVersion: string, change: VersionChange) =>
        call(
          'update',
          { remote_name: remoteName, remote_version: remoteVersion, ...changeShown(change) },
          () => changeVersion(remoteName, remoteVersion, change),
          () => ({}),
        ),
    }),
    ...(recover && {
      recover: (remoteName: string) =>
        call(
          'recover',
          { remote_name: remoteName },
          () => recover(remoteName),
          () => ({}),
        ),
    }),
    ...(diagnose && {
      diagnose: () =>
        call('diagnose', {}, diagnose, (findings) => ({
          findings: findings.length,
          errors: findings.filter(({ level }) => level === 'error').length,
        })),
    }),
    ...(rotateWrappingKey && { rotateWrappingKey: () => call('rotate', {}, rotateWrappingKey, rotationShown) }),
    ...(close && { close }),
  }
}

/** Records a call before it is sent. Throws `CloudError`: it is then not sent. */
export async function recordBefore(call: AuditedCall, { context, audit }: ObservedParts): Promise<void> {
  const begun = context.now()
  try {
    await audit.cloudRequest(call)
  } catch (cause) {
    throw new CloudError('unavailable', 'a call to the cloud could not be recorded in the audit log: it was not sent', {
      cause,
    })
  }
  if (context.now() - begun > latestDepartureMs)
    throw new CloudError('unavailable', 'the audit log took too long to record a call to the cloud: it was not sent')
}

/** What a provider may leave out, callable by itself. */
function bound(inner: Connection) {
  return {
    changeVersion: inner.changeVersion?.bind(inner),
    recover: inner.recover?.bind(inner),
    diagnose: inner.diagnose?.bind(inner),
    rotateWrappingKey: inner.rotateWrappingKey?.bind(inner),
    close: inner.close?.bind(inner),
  }
}

function versionShown({ remoteVersion, enabled }: Pick<ReadVersion, 'remoteVersion' | 'enabled'>): Data {
  return { remote_version: remoteVersion, enabled }
}

function changeShown({ purposes, tags, notBefore, expires }: VersionChange): Data {
  return {
    ...(purposes && { purpose: [...purposes] }),
    ...(tags && { import_id: tags.importId, tags: Object.entries(tags.others).map((tag) => tag.join('=')) }),
    ...(notBefore && { not_before: notBefore.toISOString() }),
    ...(expires && { expires: expires.toISOString() }),
  }
}

function remoteKeyShown(key: RemoteKey): Data {
  if (key.state !== 'present') return { state: key.state }
  return { state: key.state, ...versionShown(key.latest), ...(key.versions && { versions: key.versions.length }) }
}

function rotationShown({ keyId, fingerprint, formerKeyId }: WrappingKeyRotation): Data {
  return { key_id: keyId, fingerprint, ...(formerKeyId !== null && { former_key_id: formerKeyId }) }
}
