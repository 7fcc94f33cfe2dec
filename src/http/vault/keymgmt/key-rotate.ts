import { done } from '../envelope.ts'
import { noFields } from '../fields.ts'
import { engineRoute } from '../route.ts'

export const keyRotate = engineRoute('key/:name/rotate', {
  names: { name: 'key' },
  synopsis: 'Add a version with new material.',
  description: `
The new version is made here and then brought to every KMS that has the key, where it becomes the current one. Once it is made the
answer is success; a KMS that refuses or is down is a warning, and is seen to later.`,
  write: {
    capability: 'update',
    body: noFields,
    async: true,
    handler: async (call, { name }) => done((await call.core.keys.rotate(call.scope, name, call.waiting)).warnings),
  },
})
