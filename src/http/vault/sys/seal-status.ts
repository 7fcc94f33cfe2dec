import { publicRoute } from '../route.ts'
import { shownVersion } from './version.ts'

export const sealStatus = publicRoute('sys/seal-status', {
  synopsis: 'The state of the seal.',
  description:
    'A gateway that runs has its root key and is unsealed. "version" is that of the API, with the gateway’s own behind the plus.',
  read: {
    unauthenticated: true,
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
