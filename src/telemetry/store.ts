import { type Asked, byLabel } from './asked.ts'

/** The database. */
export const store: readonly Asked[] = [
  {
    name: 'keyferry_store_bytes',
    help: 'Size of the database, and of its write-ahead log.',
    type: 'gauge',
    labels: ['file'],
    read: ({ figures: { store: of } }) => byLabel('file', { database: of.bytes, log: of.logBytes }),
  },
  {
    name: 'keyferry_store_commits_total',
    help: 'Transactions of this process that became durable; changes that come together share one.',
    type: 'counter',
    read: ({ figures }) => figures.store.commits,
  },
  {
    name: 'keyferry_objects',
    help: 'What all namespaces have together; "tokens" are service tokens and answers that wait to be unwrapped.',
    type: 'gauge',
    labels: ['kind'],
    read: ({ figures: { store: of } }) => byLabel('kind', { namespaces: of.namespaces, ...of.objects }),
  },
]
