import { afterAll, beforeAll, expect, it } from 'vitest'
import { type AzureGateway, azureGateway } from './gateway.ts'
import { type Bench, startBench } from './harness.ts'

let bench: Bench
let gateway: AzureGateway
beforeAll(async () => {
  bench = await startBench()
  gateway = await azureGateway(bench, { callTimeoutMs: 5_000, settleMs: 100, newestAfterMs: 0 })
})
afterAll(async () => {
  await gateway.close()
  await bench.emulator.close()
})

async function deliver(kms: string, keyCollection: string) {
  const { core, scope, soon } = gateway
  const credentials = { ...bench.settings.credentials }
  await core.kms.write(scope, kms, { provider: 'azurekeyvault', keyCollection, credentials })
  await core.keys.write(scope, `key-${kms}`, { type: 'ecdsa-p256' }, soon())
  expect(await core.distribution.distribute(scope, kms, `key-${kms}`, { purpose: ['sign'] }, soon())).toEqual([])
}

it('a Managed HSM’s statement about the key encryption key is kept, and shown with the KMS, also after a rotation', async () => {
  const { core, scope } = gateway
  await deliver('hsm', 'hard-keys.managedhsm.azure.net')
  const first = (await core.kms.read(scope, 'hsm')).shown
  expect(first).toMatchObject({
    kek_id: expect.stringMatching(/^https:\/\/hard-keys\.managedhsm\.azure\.net\/keys\/keyferry-kek-[0-9a-f]{32}\//),
    kek_attestation: { version: expect.any(String), publicKeyAttestation: expect.stringMatching(/^[\w-]+$/) },
  })
  const rotated = await core.kms.rotateWrappingKey(scope, 'hsm')
  const second = (await core.kms.read(scope, 'hsm')).shown
  expect(second.kek_id).toBe(rotated.keyId)
  expect(second.kek_attestation).toEqual(rotated.attestation)
  expect(second.kek_id).not.toBe(first.kek_id)
})

it('a vault gives none, and none is shown', async () => {
  await deliver('vault', 'prod-keys')
  const { shown } = await gateway.core.kms.read(gateway.scope, 'vault')
  expect(Object.keys(shown)).toEqual(['kek_id', 'kek_fingerprint'])
})
