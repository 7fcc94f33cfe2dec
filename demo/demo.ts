/**
 * The main job on real input, told step by step: a key is made here, ferried into a Key Vault (the emulator's), used there, rotated
 * and taken away. The gateway is a process of its own, reached by plain HTTP; the vault is used by Microsoft's own SDK. Whatever
 * differs from what it must be ends the story with exit code 1.
 */
import { constants, publicEncrypt } from 'node:crypto'
import { styleText } from 'node:util'
import { type DevGateway, request, startDevGateway } from './gateway.ts'
import { connectToKeyVault } from './key-vault.ts'
import { sent, step, verify } from './narrate.ts'

interface KeyData {
  latest_version: number
  versions: Record<string, { public_key: string }>
}

interface CopyData {
  name: string
  purpose: string
  versions: Record<string, string>
}

/** RSA-OAEP with SHA-256, with nothing but a public key: this is what a partner does who sends you data. */
function encryptHere(publicKey: string, text: string): Buffer {
  return publicEncrypt(
    { key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
    Buffer.from(text),
  )
}

async function tell({ env, milliseconds }: DevGateway): Promise<void> {
  const send = async (method: string, path: string, body?: unknown) => {
    const shown = JSON.stringify(body, (name, value) => (name === 'client_secret' ? '…' : value))
    sent(`${method} /v1/${path}${shown === undefined ? '' : ` ${shown}`}`)
    return (await request(env, method, path, body)).data
  }
  const vault = connectToKeyVault(env)
  const decryptThere = async (version: number, ciphertext: Buffer) => {
    const { name, versions } = (await request(env, 'GET', 'keymgmt/kms/prod/key/orders')).data as CopyData
    return (await vault.decrypt(name, versions[version] ?? '', ciphertext)).toString()
  }

  console.log(`A gateway and a Key Vault emulator, started in ${Math.round(milliseconds)} ms.`)

  step(`Name the vault and the credentials to reach it: ${env.KEY_VAULT_NAME}.vault.azure.net`)
  await send('POST', 'keymgmt/kms/prod', {
    provider: 'azurekeyvault',
    key_collection: env.KEY_VAULT_NAME,
    credentials: {
      tenant_id: env.AZURE_TENANT_ID,
      client_id: env.AZURE_CLIENT_ID,
      client_secret: env.AZURE_CLIENT_SECRET,
    },
  })
  const kms = await send('GET', 'keymgmt/kms/prod')
  verify('the secret is never shown again', JSON.stringify(kms).includes(env.AZURE_CLIENT_SECRET ?? ''), false)

  step('Make an RSA key here')
  await send('POST', 'keymgmt/key/orders', { type: 'rsa-3072' })
  const made = (await send('GET', 'keymgmt/key/orders')) as KeyData
  verify('it has one version, whose public key anybody may have', Object.keys(made.versions), ['1'])

  step('Ferry it into the HSM of the vault: wrapped for a key that only the vault can open')
  await send('POST', 'keymgmt/kms/prod/key/orders', { purpose: 'encrypt,decrypt', protection: 'hsm' })
  const copy = (await send('GET', 'keymgmt/kms/prod/key/orders')) as CopyData
  const arrived = await vault.keys.getKey(copy.name)
  verify(`the vault has ${copy.name}`, arrived.name, copy.name)
  verify('it is kept in the HSM', arrived.keyType, 'RSA-HSM')

  step('Encrypt here, decrypt there')
  const first = encryptHere(made.versions['1']?.public_key ?? '', 'ten crates of lemons')
  verify('the vault reads what was written with the public key', await decryptThere(1, first), 'ten crates of lemons')

  step('Rotate: here and there in one step')
  await send('POST', 'keymgmt/key/orders/rotate')
  const rotated = (await send('GET', 'keymgmt/key/orders')) as KeyData
  verify('there is a second version', rotated.latest_version, 2)
  const second = encryptHere(rotated.versions['2']?.public_key ?? '', 'twelve crates of limes')
  verify('the vault reads what the new public key wrote', await decryptThere(2, second), 'twelve crates of limes')
  verify('and still what the old one wrote', await decryptThere(1, first), 'ten crates of lemons')
  const current = await vault.keys.getKey(copy.name)
  const now = (await request(env, 'GET', 'keymgmt/kms/prod/key/orders')).data as CopyData
  verify('the new version is the current one there', current.properties.version, now.versions['2'])

  step('Take it away again')
  await send('DELETE', 'keymgmt/kms/prod/key/orders')
  const status = await vault.keys.getKey(copy.name).then(
    () => 200,
    (error: { statusCode?: number }) => error.statusCode,
  )
  verify('the vault has it no more', status, 404)
  const deleted = await vault.keys.getDeletedKey(copy.name)
  verify('it is soft-deleted: the owner of the vault could still recover it', deleted.name, copy.name)
  const kept = (await send('GET', 'keymgmt/key/orders')) as KeyData
  verify('it is still here, ready to be ferried again', kept.latest_version, 2)
  vault.close()
}

const gateway = await startDevGateway()
try {
  await tell(gateway)
  console.log(`\n${styleText(['bold', 'green'], 'All of it held.')} Next: npm start, and three commands to copy.`)
} catch (error) {
  console.error(
    `\n${styleText(['bold', 'red'], 'This did not hold:')} ${error instanceof Error ? error.message : error}`,
  )
  process.exitCode = 1
} finally {
  await gateway.stop()
}
