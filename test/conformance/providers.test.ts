import { CloudError } from '../../src/core/kms/provider.ts'
import type { FaultSpec } from '../../src/emulator/azurekeyvault/index.ts'
import { clientId, fivePermissions, root, startBench } from '../providers/azurekeyvault/harness.ts'
import { MemoryCloud, memoryProvider } from '../support/memory-provider.ts'
import type { CallKind, Mishap } from './harness.ts'
import { testProvider } from './provider.ts'
import { SmallCloud, smallProvider } from './small-provider.ts'

/** Azure Key Vault: the genuine SDK against the emulator, in a vault and in a Managed HSM. */
for (const place of ['prod-keys', 'hard-keys.managedhsm.azure.net']) {
  testProvider(`azurekeyvault, ${place}`, async () => {
    const { emulator, provider, settings } = await startBench()
    const operations: Record<CallKind, string> = {
      import: 'import',
      'set-enabled': 'update',
      describe: 'get',
      remove: 'delete',
    }
    const actions: Record<Mishap, FaultSpec['action']> = {
      refused: { status: 403, body: { error: { code: 'Forbidden', message: 'no' } } },
      throttled: { status: 429 },
      'lost-before': { drop: 'before' },
      'lost-after': { drop: 'after' },
    }
    const full = settings.credentials
    return {
      provider,
      settings: { ...settings, keyCollection: place },
      owner: root,
      badSettings: [
        ['a place that is no vault', { keyCollection: 'evil.example/', credentials: full }],
        ['no tenant', { keyCollection: place, credentials: { ...full, tenant_id: '' } }],
        ['a credential that is not known', { keyCollection: place, credentials: { ...full, client_sercet: 'x' } }],
        [
          'a secret with a newline',
          { keyCollection: place, credentials: { ...full, client_secret: 'canary-secret\n' } },
        ],
      ],
      badNames: ['', 'a_b', 'a/b', 'a.b', 'x'.repeat(128), 'keyferry-kek-1'],
      disturb: (call, mishap) =>
        void emulator.injectFault({ match: { operation: operations[call] }, action: actions[mishap] }),
      calm: () => emulator.clearFaults(),
      permitListing: (permitted) => emulator.restrict(clientId, permitted ? null : [...fivePermissions]),
      close: () => emulator.close(),
    }
  })
}

testProvider('memory, that of other tests', async () => {
  const cloud = new MemoryCloud()
  const errors: Record<Mishap, () => CloudError> = {
    refused: () => new CloudError('refused', 'the cloud said no'),
    throttled: () => new CloudError('throttled', 'too many calls'),
    'lost-before': () => new CloudError('unavailable', 'the answer was lost', { effect: 'unknown' }),
    'lost-after': () => new CloudError('unavailable', 'the answer was lost', { effect: 'unknown' }),
  }
  return {
    provider: memoryProvider(new Map([['vault', cloud]])),
    settings: { keyCollection: 'vault', credentials: {} },
    owner: root,
    badSettings: [['a place that is not there', { keyCollection: 'elsewhere', credentials: {} }]],
    badNames: ['', 'A', 'a_b'],
    disturb: (call, mishap) => {
      const read = call === 'describe' ? () => new CloudError('unavailable', 'no answer') : undefined
      const error = mishap.startsWith('lost') && read ? read : errors[mishap]
      cloud.faults.push({ call, error, after: mishap === 'lost-after', times: 100 })
    },
    calm: () => {
      cloud.faults = []
    },
    permitListing: (permitted) => {
      cloud.listPermitted = permitted
    },
    close: async () => {},
  }
})

testProvider('small, of sixty lines', async () => {
  const cloud = new SmallCloud()
  return {
    provider: smallProvider(cloud),
    settings: { keyCollection: 'map', credentials: {} },
    owner: root,
    badSettings: [['a place that is not there', { keyCollection: 'elsewhere', credentials: {} }]],
    badNames: ['', 'a b', 'ü'],
    disturb: (call, mishap) => void cloud.mishaps.set(call, mishap),
    calm: () => cloud.mishaps.clear(),
    permitListing: (permitted) => {
      cloud.listing = permitted
    },
    close: async () => {},
  }
})
