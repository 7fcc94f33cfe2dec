import { type Asked, byLabel } from './asked.ts'

/** The seal: a gateway that answers has its root key. */
export const seal: readonly Asked[] = [
  {
    name: 'keyferry_seal_unsealed',
    help: '1: the gateway has its root key. It does not answer without.',
    type: 'gauge',
    read: () => 1,
  },
  {
    name: 'keyferry_seal_rotating',
    help: 'Rotations going on: of the root key (0 or 1), and how many data keys that were replaced something may still be under.',
    type: 'gauge',
    labels: ['key'],
    read: ({ figures: { seal: of } }) =>
      byLabel('key', { root: Number(of.rotatingRootKey), data: of.replacedDataKeys }),
  },
]
