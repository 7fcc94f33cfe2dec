import { z } from 'zod'
import { invalid } from '../../../core/errors.ts'
import { decodeFields, present } from '../decode.ts'
import { anyObject, text } from '../fields.ts'
import { type Capability, systemRoute } from '../route.ts'
import { authMountAnswer, authMountShape, authTunable, authTunableFields, tokenTypeOf } from './auth-mount-shape.ts'
import { leaseAnswer, leaseInEffect } from './lease-settings.ts'
import { authMountAt } from './mount-at.ts'

export const authMounts = systemRoute('auth', {
  synopsis: 'List the ways to log in to this namespace.',
  description: 'By path under auth/, with the settings of each.',
  read: {
    capability: 'read',
    answers: { data: z.record(z.string(), authMountAnswer), repeat: true },
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
    answers: { data: authMountAnswer, repeat: true },
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
      const tune = present(decodeFields(authTunableFields, config ?? {}))
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

export const authMountTune = tuneRoute('auth/:path+/tune', () => 'sudo')

/** The same by Vault's other path, `sys/mounts/auth/…`, which its command line, Go client and Terraform use; there without sudo. */
export const authMountInMounts = systemRoute('mounts/auth/:path+', {
  synopsis: 'Look at a way to log in.',
  description: 'As at sys/auth/:path. To enable and disable one, use that.',
  read: {
    capability: 'read',
    answers: { data: authMountAnswer, repeat: true },
    handler: async (call, { path }) => ({ data: authMountShape(await authMountAt(call, path)), repeat: true }),
  },
})

export const authMountTuneInMounts = tuneRoute('mounts/auth/:path+/tune', (operation) => operation)

function tuneRoute(
  path: 'auth/:path+/tune' | 'mounts/auth/:path+/tune',
  capability: (usual: 'read' | 'update') => Capability,
) {
  return systemRoute(path, {
    synopsis: 'Read and change the settings of a way to log in.',
    description: 'What is not sent is not changed.',
    read: {
      capability: capability('read'),
      answers: {
        data: z.object({ ...leaseAnswer, description: z.string(), token_type: z.string() }),
        repeat: true,
      },
      handler: async (call, { path }) => {
        const { tune, description } = await authMountAt(call, path)
        return {
          data: { ...leaseInEffect(tune), description, token_type: tokenTypeOf(tune) },
          repeat: true,
        }
      },
    },
    write: {
      capability: capability('update'),
      body: z.object({ ...authTunable, description: text('For people.') }),
      handler: async (call, { path }, { description, ...settings }) => {
        await authMountAt(call, path)
        const { core, namespace } = call
        await core.doors.mounts.tune(namespace.id, path, { tune: present(settings), ...present({ description }) })
        return undefined
      },
    },
  })
}
