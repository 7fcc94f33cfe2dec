import { type Asked, byLabel } from './asked.ts'

/** RSA keys that are made ahead of need. */
export const keyPool: readonly Asked[] = [
  {
    name: 'keyferry_key_pool_ready',
    help: 'RSA keys that are ready.',
    type: 'gauge',
    labels: ['type'],
    read: ({ figures }) => byLabel('type', figures.keyPool.ready),
  },
  {
    name: 'keyferry_key_pool_wanted',
    help: 'RSA keys that are kept ready where there is time to make them.',
    type: 'gauge',
    labels: ['type'],
    read: ({ figures }) => byLabel('type', figures.keyPool.wanted),
  },
  {
    name: 'keyferry_key_pool_misses_total',
    help: 'Requests that found no key ready, and waited for one to be made.',
    type: 'counter',
    labels: ['type'],
    read: ({ figures }) => byLabel('type', figures.keyPool.misses),
  },
  {
    name: 'keyferry_key_pool_waiting',
    help: 'Requests that wait for a key to be made just now.',
    type: 'gauge',
    read: ({ figures }) => figures.keyPool.waiting,
  },
  {
    name: 'keyferry_keys_generated_total',
    help: 'Keys of any type that were made, taken or not.',
    type: 'counter',
    read: ({ figures }) => figures.keyPool.generated,
  },
]
