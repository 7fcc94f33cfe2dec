import { type KeyVaultEmulator, startKeyVaultEmulator } from '../emulator/azurekeyvault/index.ts'
import type { AzureOptions } from '../providers/azurekeyvault/options.ts'
import { type DevPrincipal, premiumVault, standardVault } from './dev-principal.ts'

/** Starts the emulator with its two vaults, on a free port of the loopback interface. */
export async function startDevEmulator(principal: DevPrincipal): Promise<KeyVaultEmulator> {
  return await startKeyVaultEmulator({
    vaults: [
      { name: premiumVault, kind: 'premium' },
      { name: standardVault, kind: 'standard' },
    ],
    principals: [principal],
  })
}

/**
 * Every cloud that Azure has, played by the emulator: names stay real, sockets go to it. So nothing that is tried in dev mode leaves
 * the machine. Without ambient credentials: the shell's own AZURE_* are none of the emulator's.
 */
export function throughEmulator(emulator: KeyVaultEmulator): AzureOptions {
  const address = `127.0.0.1:${emulator.port}`
  const cloud = {
    connectTo: address,
    authorityConnectTo: address,
    ca: emulator.caCertificate,
    instanceDiscovery: false,
  }
  const names = ['AzurePublicCloud', 'AzureUSGovernmentCloud', 'AzureChinaCloud', 'AzureGermanCloud']
  return { clouds: Object.fromEntries(names.map((name) => [name, cloud])) }
}
