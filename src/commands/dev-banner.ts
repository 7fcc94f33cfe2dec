import { version } from '../version.ts'
import { shellQuote } from './env-file.ts'

/** What `keyferry dev` prints once it is ready: where, as whom, and three commands to copy. */
export function devBanner(options: {
  values: { VAULT_ADDR: string; VAULT_TOKEN: string } & Readonly<Record<string, string>>
  /** The data folder, when it is kept. */
  kept: string | undefined
  /** Whether other machines can reach the address. */
  reachable: boolean
}): string {
  const { values, kept, reachable } = options
  const emulated = values.EMULATOR_URL !== undefined
  return [
    `Keyferry ${version} in development mode: to try things on, never for keys that matter.`,
    kept === undefined
      ? 'Its state is in a temporary folder and gone when this stops; --data DIR keeps it.'
      : `Its state is kept in ${kept}.`,
    ...(reachable ? ['WARNING: other machines can reach this address, and there is no TLS.'] : []),
    '',
    `  export VAULT_ADDR=${shellQuote(values.VAULT_ADDR)}`,
    `  export VAULT_TOKEN=${shellQuote(values.VAULT_TOKEN)}`,
    '',
    ...(emulated
      ? [
          `An emulator at ${values.EMULATOR_URL} plays Azure Key Vault, in memory, with two vaults:`,
          `${values.KEY_VAULT_NAME} (premium) and ${values.KEY_VAULT_STANDARD_NAME} (standard).`,
        ]
      : ['No emulator: KMSs reach the real Azure, with the AZURE_* variables of this shell.']),
    '',
    'Three commands that make a key and ferry it there:',
    '',
    ...commands(values).map(([path, body]) => `  ${curl(path, body)}`),
    '',
    'Ctrl-C stops it.',
  ].join('\n')
}

function commands(values: Readonly<Record<string, string>>): [path: string, body: unknown][] {
  const credentials = values.AZURE_CLIENT_ID && {
    tenant_id: values.AZURE_TENANT_ID,
    client_id: values.AZURE_CLIENT_ID,
    client_secret: values.AZURE_CLIENT_SECRET,
  }
  const collection = values.KEY_VAULT_NAME ?? 'NAME-OF-YOUR-VAULT'
  return [
    ['kms/prod', { provider: 'azurekeyvault', key_collection: collection, ...(credentials && { credentials }) }],
    ['key/orders', { type: 'rsa-3072' }],
    ['kms/prod/key/orders', { purpose: 'encrypt,decrypt', protection: 'hsm' }],
  ]
}

function curl(path: string, body: unknown): string {
  const data = shellQuote(JSON.stringify(body))
  return `curl -sS -H "X-Vault-Token: $VAULT_TOKEN" "$VAULT_ADDR/v1/keymgmt/${path}" -d ${data}`
}
