import { type Asked, byLabel } from './asked.ts'

/** Work in clouds: what is wanted there and not there yet, and what differs. */
export const operations: readonly Asked[] = [
  {
    name: 'keyferry_operations_pending',
    help: 'Operations that are not done yet, of all processes.',
    type: 'gauge',
    labels: ['kind'],
    read: ({ figures }) => byLabel('kind', figures.store.pending),
  },
  {
    name: 'keyferry_operation_oldest_pending_seconds',
    help: 'Age of the oldest operation that is not done yet; 0 where there is none.',
    type: 'gauge',
    read: ({ figures: { store }, now }) =>
      store.oldestPendingAt === null ? 0 : Math.max(0, now - store.oldestPendingAt) / 1000,
  },
  {
    name: 'keyferry_operations_ended_total',
    help: 'Operations that this process ended, by how: one that is superseded goes on as another.',
    type: 'counter',
    labels: ['kind', 'outcome'],
    read: ({ figures }) =>
      figures.store.ended.map(({ kind, state, count }) => ({ labels: { kind, outcome: state }, value: count })),
  },
  {
    name: 'keyferry_copies_in_work',
    help: 'Copies of keys that this process is at work on just now.',
    type: 'gauge',
    read: ({ figures }) => figures.copiesInWork,
  },
  {
    name: 'keyferry_copy_attempts_failed_total',
    help: 'Attempts of this process at a copy that did not succeed and are made again.',
    type: 'counter',
    read: ({ figures }) => figures.store.failedAttempts,
  },
  {
    name: 'keyferry_copies_drifted',
    help: 'Copies of keys of which the cloud has something otherwise than it should be, by what; at most 10,000 of them are counted.',
    type: 'gauge',
    labels: ['reason'],
    read: ({ figures }) => byLabel('reason', figures.store.drifted),
  },
  {
    name: 'keyferry_restore_held',
    help: '1 from a restore until "keyferry release": nothing is sent to any KMS.',
    type: 'gauge',
    read: ({ figures }) => Number(figures.held),
  },
]
