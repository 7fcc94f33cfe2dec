import { z } from 'zod'
import { present } from '../decode.ts'
import { done } from '../envelope.ts'
import { createOrUpdate } from '../existence.ts'
import { pairs, text } from '../fields.ts'
import { engineRoute } from '../route.ts'

const shown = z.union([z.string(), z.number(), z.boolean(), z.record(z.string(), z.string())])

export const kms = engineRoute('kms/:name', {
  names: { name: 'KMS' },
  synopsis: 'Create, read, update and delete KMSs: places in a cloud that keys can be brought to.',
  description: `
Writing makes a KMS, or replaces the credentials of one that is there; the cloud is not asked. Credentials are an object, a list of
"key=value" strings or one such string; they are kept sealed and never shown. A KMS can be deleted once no key is in it.`,
  read: {
    capability: 'read',
    // What a provider shows besides is the provider's.
    answers: { data: z.object({ key_collection: z.string(), provider: z.string() }).catchall(shown) },
    // Not cacheable: the key encryption key that it shows belongs to the vault, which other mounts may use too.
    handler: async (call, { name }) => {
      const { keyCollection, provider, shown } = await call.core.kms.read(call.scope, name)
      return { data: { key_collection: keyCollection, provider, ...shown } }
    },
  },
  write: {
    capability: (call, { name }) => createOrUpdate(call.core.kms.read(call.scope, name)),
    body: z.object({
      provider: text('The kind of KMS: azurekeyvault. Cannot be changed.'),
      key_collection: text(
        'Where the provider keeps the keys; azurekeyvault: the name of the Key Vault. Cannot be changed.',
      ),
      credentials: pairs(
        'What the provider signs in with; azurekeyvault: tenant_id, client_id, client_secret, environment.',
      ),
    }),
    handler: async (call, { name }, body) => {
      const input = present({
        provider: body.provider,
        keyCollection: body.key_collection,
        credentials: body.credentials,
      })
      return done((await call.core.kms.write(call.scope, name, input)).warnings)
    },
  },
  delete: {
    capability: 'delete',
    handler: async (call, { name }) => {
      await call.core.kms.delete(call.scope, name)
      return undefined
    },
  },
})
