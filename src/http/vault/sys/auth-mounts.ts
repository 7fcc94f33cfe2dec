import { z } from 'zod'
import { invalid } from '../../../core/errors.ts'
import { decodeFields, present } from '../decode.ts'
import { anyObject, text } from '../fields.ts'
import { systemRoute } from '../route.ts'
import { authMountAt, authMountShape, authTunable, authTunableFields, keptTune } from './auth-mount-shape.ts'

/** Vault's system-wide time of leases, in seconds: what a mount without one of its own reads. */
const systemLease = 32 * 24 * 3600

export const authMounts = systemRoute('auth', {
  synopsis: 'List the ways to log in to this namespace.',
  description: 'By path under auth/, with the settings of each.',
  read: {
    capability: 'read',
    handler: async ({ core, namespace }) => {
      const mounts = await core.doors.mounts.list(namespace.id)
      return { data: Object.fromEntries(mounts.map((one) => [one.path, authMountShape(one)])), repeat: true }
    },
  },
})

export const authMount = systemRoute('auth/:path+', {
  synopsis: 'Enable, look at and disable a way to log in.',
  description: `
Types are approle, jwt and oidc (another name of jwt). Disabling one ends the tokens that were made through it, with their children.`,
  read: {
    capability: 'sudo',
    handler: async (call, { path }) => ({ data: authMountShape(await authMountAt(call, path)), repeat: true }),
  },
  write: {
    capability: 'sudo',
    body: z.object({
      type: text('approle, jwt or oidc.'),
      description: text('For people.'),
      config: anyObject('default_lease_ttl, max_lease_ttl, token_type, listing_visibility.'),
    }),
    handler: async ({ core, namespace }, { path }, { type, description, config }) => {
      if (!type) throw invalid('missing type: it says how to log in: approle, jwt or oidc')
      const tune = keptTune(decodeFields(authTunableFields, config ?? {}))
      await core.doors.mounts.enable(namespace.id, path, { type, tune, ...present({ description }) })
      return undefined
    },
  },
  delete: {
    capability: 'sudo',
    handler: async ({ core, namespace }, { path }) => {
      await core.doors.mounts.disable(namespace.id, path)
      return undefined
    },
  },
})

export const authMountTune = systemRoute('auth/:path+/tune', {
  synopsis: 'Read and change the settings of a way to log in.',
  description: 'What is not sent is not changed.',
  read: {
    capability: 'sudo',
    handler: async (call, { path }) => {
      const { tune, description } = await authMountAt(call, path)
      return {
        data: {
          default_lease_ttl: tune.default_lease_ttl || systemLease,
          description,
          force_no_cache: tune.force_no_cache ?? false,
          ...(tune.listing_visibility === undefined ? {} : { listing_visibility: tune.listing_visibility }),
          max_lease_ttl: tune.max_lease_ttl || systemLease,
          token_type: tune.token_type ?? 'default-service',
        },
        repeat: true,
      }
    },
  },
  write: {
    capability: 'sudo',
    body: z.object({ ...authTunable, description: text('For people.') }),
    handler: async (call, { path }, { description, ...settings }) => {
      await authMountAt(call, path)
      const { core, namespace } = call
      await core.doors.mounts.tune(namespace.id, path, { tune: keptTune(settings), ...present({ description }) })
      return undefined
    },
  },
})
