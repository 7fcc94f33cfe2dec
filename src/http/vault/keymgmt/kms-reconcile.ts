import { z } from 'zod'
import { causedBy } from '../../../core/kms/cause.ts'
import { seconds, stringMap } from '../answers.ts'
import { noFields } from '../fields.ts'
import { engineRoute } from '../route.ts'
import { driftAnswer, driftShape } from './drift.ts'

export const kmsReconcile = engineRoute('kms/:name/reconcile', {
  names: { name: 'KMS' },
  synopsis: 'Compare every key in a KMS with what the KMS has, now.',
  description: `
Gives what was found, by name of the key, and keeps it with each copy, where reading shows it. Copies with "repair": "restore" are then put
right as far as that is safe; "not_restored" says why something is not. A copy that is being worked on is left out. With many copies, those that were
not reached in time are looked at in the background: then "looked" is less than "copies".`,
  write: {
    capability: 'update',
    body: noFields,
    answers: {
      data: z.object({
        copies: seconds,
        drift: z.record(z.string(), driftAnswer),
        failed: stringMap.describe('Why a key could not be looked at.'),
        looked: seconds,
      }),
    },
    handler: async (call, { name }) => {
      const { copies, drift, failed, looked } = await causedBy({ requestId: call.requestId }, () =>
        call.core.looks.reconcile(call.scope, name, call.waiting),
      )
      const shown = Object.fromEntries(Object.entries(drift).map(([key, found]) => [key, driftShape(found)]))
      return { data: { copies, drift: shown, failed, looked } }
    },
  },
})
