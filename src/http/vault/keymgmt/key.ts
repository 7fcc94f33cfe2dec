import { z } from 'zod'
import { creatableTypes, type KeyView } from '../../../core/keys/service.ts'
import { seconds, time } from '../answers.ts'
import { present } from '../decode.ts'
import { done } from '../envelope.ts'
import { createOrUpdate } from '../existence.ts'
import { boolean, commaList, duration, text, wholeNumber } from '../fields.ts'
import { engineRoute } from '../route.ts'
import { rfc3339 } from '../times.ts'

const keyAnswer = z.object({
  auto_rotate_period: seconds.optional(),
  deletion_allowed: z.boolean(),
  latest_version: z.number().int().min(1),
  max_enabled_versions: z.number().int().min(1).optional(),
  min_enabled_version: z.number().int().min(0),
  name: z.string(),
  next_rotation_time: time.optional(),
  replica_regions: z.array(z.string()).optional(),
  type: z.enum(creatableTypes),
  versions: z.record(z.string(), z.object({ creation_time: time, public_key: z.string().optional() })),
})

export const key = engineRoute('key/:name', {
  names: { name: 'key' },
  synopsis: 'Create, read, update and delete keys.',
  description: `
Writing makes a key of the type named, or changes the settings of one that is there. The key's material is made here, is kept sealed
and is never shown; it leaves only by "kms/:name/key/:key_name". Versions below min_enabled_version are disabled wherever the key is,
and left out when it is read. A key can be deleted once deletion_allowed is true and no KMS has it.`,
  read: {
    capability: 'read',
    cacheable: true,
    answers: { data: keyAnswer },
    handler: async (call, { name }) => ({ data: shape(await call.core.keys.read(call.scope, name)) }),
  },
  write: {
    capability: (call, { name }) => createOrUpdate(call.core.keys.read(call.scope, name)),
    async: true,
    body: z.object({
      type: text(`One of ${creatableTypes.join(', ')}; rsa-2048 unless told. Cannot be changed.`).meta({
        enum: creatableTypes,
      }),
      deletion_allowed: boolean('Whether the key may be deleted.'),
      min_enabled_version: wholeNumber('Versions below this one are disabled; 0 enables all.'),
      auto_rotate_period: duration('The key is rotated by itself after this time, at least 1h; 0: never.'),
      max_enabled_versions: wholeNumber(
        'After each rotation min_enabled_version rises so that at most so many versions are enabled; 0: it stays.',
      ),
      replica_regions: commaList('Regions for multi-region keys of awskms. Cannot be changed.'),
    }),
    handler: async (call, { name }, body) => {
      const input = present({
        type: body.type,
        deletionAllowed: body.deletion_allowed,
        minEnabledVersion: body.min_enabled_version,
        replicaRegions: body.replica_regions,
        autoRotatePeriod: body.auto_rotate_period,
        maxEnabledVersions: body.max_enabled_versions,
      })
      return done((await call.core.keys.write(call.scope, name, input, call.waiting)).warnings)
    },
  },
  delete: {
    capability: 'delete',
    handler: async (call, { name }) => {
      await call.core.keys.delete(call.scope, name)
      return undefined
    },
  },
})

function shape(key: KeyView): Record<string, unknown> {
  const versions: Record<string, unknown> = {}
  for (const { version, createdAt, publicKey } of key.versions) {
    versions[version] = { creation_time: rfc3339(createdAt), ...(publicKey === null ? {} : { public_key: publicKey }) }
  }
  return {
    ...(key.autoRotatePeriod === 0 ? {} : { auto_rotate_period: key.autoRotatePeriod }),
    deletion_allowed: key.deletionAllowed,
    latest_version: key.latestVersion,
    ...(key.maxEnabledVersions === 0 ? {} : { max_enabled_versions: key.maxEnabledVersions }),
    min_enabled_version: key.minEnabledVersion,
    name: key.name,
    ...(key.nextRotationAt === null ? {} : { next_rotation_time: rfc3339(key.nextRotationAt) }),
    ...(key.replicaRegions === null ? {} : { replica_regions: key.replicaRegions }),
    type: key.type,
    versions,
  }
}
