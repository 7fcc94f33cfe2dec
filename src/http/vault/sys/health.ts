import { z } from 'zod'
import type { Hold } from '../../../core/backup/restore-store.ts'
import { invalid } from '../../../core/errors.ts'
import { printable } from '../../../core/keys/types.ts'
import { publicRoute } from '../route.ts'
import { rfc3339 } from '../times.ts'
import { shownVersion } from './version.ts'

/** Parameters with which a load balancer chooses the status for a state. A gateway that answers at all is in the state `active`. */
const codes = [
  'activecode',
  'standbycode',
  'drsecondarycode',
  'haunhealthycode',
  'perfstandbycode',
  'removedcode',
  'sealedcode',
  'uninitcode',
]
const flags = ['standbyok', 'perfstandbyok']

export const health = publicRoute('sys/health', {
  synopsis: 'Whether the gateway serves.',
  description: `
200 while it is up and unsealed; it does not answer before. 503 while no audit sink takes what is to be recorded. "hold" is there
from a restore until its release, while nothing is sent to any KMS: the status stays. "activecode" and
"haunhealthycode" choose other statuses. The parameters for states that do not occur here ("standbyok", "sealedcode" and the like) are checked and have no effect.`,
  read: {
    unauthenticated: true,
    query: z.object(Object.fromEntries([...codes, ...flags].map((name) => [name, z.string().optional()]))),
    answers: {
      anyStatus: true,
      raw: z.object({
        initialized: z.boolean(),
        sealed: z.boolean(),
        standby: z.boolean(),
        performance_standby: z.boolean(),
        replication_performance_mode: z.string(),
        replication_dr_mode: z.string(),
        server_time_utc: z.number().int(),
        version: z.string(),
        enterprise: z.boolean(),
        cluster_name: z.string(),
        cluster_id: z.string(),
        audit: z.string().optional(),
        hold: z.string().optional(),
      }),
    },
    handler: async ({ core, options }, _params, query) => {
      for (const name of codes) statusOf(query, name)
      const held = await core.restore.hold()
      return {
        status: core.audit.healthy
          ? (statusOf(query, 'activecode') ?? 200)
          : (statusOf(query, 'haunhealthycode') ?? 503),
        raw: {
          initialized: true,
          sealed: false,
          standby: false,
          performance_standby: false,
          replication_performance_mode: 'disabled',
          replication_dr_mode: 'disabled',
          server_time_utc: Math.floor(core.context.now() / 1000),
          version: shownVersion(options),
          enterprise: false,
          cluster_name: 'keyferry',
          cluster_id: core.instanceId,
          ...(core.audit.healthy ? {} : { audit: 'no sink takes what is to be recorded: requests are refused' }),
          ...(held && { hold: holdSentence(held) }),
        },
      }
    },
  },
})

/** Such a gateway answers, and so stays behind its load balancer; whoever watches it should know. */
function holdSentence({ backupMadeAt }: Hold): string {
  return `restored from a backup of ${rfc3339(backupMadeAt)}: nothing is sent to any KMS until "keyferry release"`
}

function statusOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (!/^[2-5]\d\d$/.test(text) || text === '204' || text === '205' || text === '304') {
    throw invalid(
      `query parameter "${name}" must be a status from 200 to 599 that has a body, not "${printable(text)}"`,
    )
  }
  return Number(text)
}
