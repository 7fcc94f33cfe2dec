import { z } from 'zod'
import type { DriftEntry } from '../../../core/store.ts'
import { time } from '../answers.ts'
import { rfc3339 } from '../times.ts'

export const repairs = ['report', 'restore'] as const

const kinds = [
  'missing',
  'deleted',
  'version_missing',
  'version_disabled',
  'version_enabled',
  'version_extra',
  'purposes',
  'tags',
  'times',
  'material',
] as const satisfies readonly DriftEntry['kind'][]

/** What was found in a KMS that should be otherwise. */
export const driftAnswer = z.array(
  z.object({
    detail: z.string(),
    first_seen: time,
    kind: z.enum(kinds),
    not_restored: z.string().optional().describe('Why it was not put right, where "repair" is "restore".'),
  }),
)

export function driftShape(drift: readonly DriftEntry[]) {
  return drift.map(({ kind, detail, firstSeen, notRestored }) => ({
    detail,
    first_seen: rfc3339(firstSeen),
    kind,
    ...(notRestored !== undefined && { not_restored: notRestored }),
  }))
}
