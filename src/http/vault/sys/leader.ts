import { publicRoute } from '../route.ts'

export const leader = publicRoute('sys/leader', {
  synopsis: 'Which process leads.',
  description: 'None does: every process on a database serves alike.',
  read: {
    unauthenticated: true,
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
