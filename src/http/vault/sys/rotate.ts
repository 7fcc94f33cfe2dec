import { noFields } from '../fields.ts'
import { systemRoute } from '../route.ts'

export const rotate = systemRoute('rotate', {
  synopsis: 'Give the namespace a new data key.',
  description: `
What is sealed from now on is under the new key; what is under the ones before it is sealed anew in the background, after which they are
gone. Nothing stops meanwhile. Of the namespace of the request alone: those below it have keys of their own. Needs sudo.`,
  write: {
    capability: 'sudo',
    body: noFields,
    handler: async ({ core, namespace }) => {
      await core.seal.rotateDataKey(namespace.id)
      return undefined
    },
  },
})
