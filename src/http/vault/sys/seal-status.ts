import { z } from 'zod'
import { publicRoute } from '../route.ts'
import { shownVersion } from './version.ts'

export const sealStatus = publicRoute('sys/seal-status', {
  synopsis: 'The state of the seal.',
  description:
    'A gateway that runs has its root key and is unsealed. "version" is that of the API, with the gateway’s own behind the plus.',
  read: {
    unauthenticated: true,
    answers: {
      raw: z.object({
        type: z.string(),
        initialized: z.boolean(),
        sealed: z.boolean(),
        t: z.number().int(),
        n: z.number().int(),
        progress: z.number().int(),
        nonce: z.string(),
        version: z.string(),
        build_date: z.string(),
        migration: z.boolean(),
        cluster_name: z.string(),
        cluster_id: z.string(),
        recovery_seal: z.boolean(),
        storage_type: z.string(),
        removed_from_cluster: z.boolean(),
        keyferry_version: z.string(),
      }),
    },
    handler: ({ core, options }) => ({
      raw: {
        type: 'root-key',
        initialized: true,
        sealed: false,
        t: 1,
        n: 1,
        progress: 0,
        nonce: '',
        version: shownVersion(options),
        build_date: '',
        migration: false,
        cluster_name: 'keyferry',
        cluster_id: core.instanceId,
        recovery_seal: false,
        storage_type: options.storageType,
        removed_from_cluster: false,
        keyferry_version: options.version,
      },
    }),
  },
})
