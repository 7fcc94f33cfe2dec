import { invalid } from '../../../core/errors.ts'
import { noFields } from '../fields.ts'
import { engineRoute } from '../route.ts'

export const copyReplicate = engineRoute('kms/:name/key/:key_name/replicate', {
  names: { name: 'KMS', key_name: 'key' },
  synopsis: 'Replicate a multi-region key to its other regions.',
  description: 'For providers whose keys can be in several regions, and keys that were made with replica_regions.',
  write: {
    capability: 'update',
    body: noFields,
    handler: async (call, { name, key_name }) => {
      const kms = await call.core.kms.read(call.scope, name)
      const key = await call.core.keys.read(call.scope, key_name)
      if (key.replicaRegions === null) throw invalid(`key "${key_name}" does not have replica_regions`)
      throw invalid(`replication is not supported by provider ${kms.provider}`)
    },
  },
})
