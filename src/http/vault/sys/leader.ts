import { z } from 'zod'
import { publicRoute } from '../route.ts'

export const leader = publicRoute('sys/leader', {
  synopsis: 'Which process leads.',
  description: 'None does: every process on a database serves alike.',
  read: {
    unauthenticated: true,
    answers: {
      raw: z.object({
        ha_enabled: z.boolean(),
        is_self: z.boolean(),
        active_time: z.string(),
        leader_address: z.string(),
        leader_cluster_address: z.string(),
        performance_standby: z.boolean(),
        performance_standby_last_remote_wal: z.number().int(),
      }),
    },
    handler: () => ({
      raw: {
        ha_enabled: false,
        is_self: false,
        active_time: '0001-01-01T00:00:00Z',
        leader_address: '',
        leader_cluster_address: '',
        performance_standby: false,
        performance_standby_last_remote_wal: 0,
      },
    }),
  },
})
