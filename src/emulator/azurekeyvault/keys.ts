import { randomBytes } from 'node:crypto'
import { keyBundle } from './bundles.ts'
import { openTransferBlob } from './byok.ts'
import { badParameter, type ServiceResponse } from './errors.ts'
import { keyFromJwk } from './jwk.ts'
import {
  checkCurve,
  generateEc,
  generateOct,
  generateRsa,
  isHsm,
  type KeyMaterial,
  type KeyType,
  type RsaKeyPairs,
  rsaSizes,
} from './key-material.ts'
import { type KeyOperation, parseAttributes, parseKeyOps, parseTags } from './key-parameters.ts'
import type { KeyVersion, Vault } from './vault.ts'

type Body = Record<string, unknown>

const keyTypes: readonly KeyType[] = ['RSA', 'RSA-HSM', 'EC', 'EC-HSM', 'oct-HSM']

/** Applies `hsm` (the import's `Hsm: true`) and checks that this kind of vault has keys of the type. */
function parseKeyType(vault: Vault, value: unknown, hsm: boolean): KeyType {
  const named = typeof value === 'string' && hsm && !value.endsWith('-HSM') ? `${value}-HSM` : value
  const kty = keyTypes.find((type) => type === named)
  if (kty === undefined) throw badParameter(`Invalid kty value: ${String(value)}`, 'KeyTypeNotSupported')
  if (vault.isManagedHsm) {
    if (!isHsm(kty)) {
      throw badParameter(`Invalid kty value: ${kty}. A Managed HSM has only -HSM keys.`, 'KeyTypeNotSupported')
    }
    return kty
  }
  if (kty === 'oct-HSM') throw badParameter(`Invalid kty value: ${kty}`, 'KeyTypeNotSupported')
  if (isHsm(kty) && vault.spec.kind === 'standard') {
    throw badParameter('Hardware key operation not allowed on standard vault', 'KeyTypeNotSupported')
  }
  return kty
}

function parseSize(value: unknown, sizes: readonly number[], fallback: number): number {
  const size = value ?? fallback
  if (typeof size === 'number' && sizes.includes(size)) return size
  throw badParameter(
    `Key size is not supported: ${String(size)}. Supported values are ${sizes.join(', ')}.`,
    'KeySizeNotSupported',
  )
}

function store(vault: Vault, name: string, body: Body, material: KeyMaterial, keyOps: KeyOperation[]): ServiceResponse {
  const seconds = Math.floor(vault.now / 1000)
  const version: KeyVersion = {
    version: randomBytes(16).toString('hex'),
    material,
    created: seconds,
    updated: seconds,
    keyOps,
    attributes: parseAttributes(body),
    tags: parseTags(body.tags),
  }
  const key = vault.add(name, version)
  return { status: 200, body: keyBundle(vault, key, version) }
}

/**
 * POST /keys/{name}/create: a new key, or a new version of an existing one.
 *
 * @throws {ServiceError} 400 for parameters, 409 for a deleted name
 */
export async function createKey(
  vault: Vault,
  name: string,
  body: Body,
  rsaKeyPairs?: RsaKeyPairs,
): Promise<ServiceResponse> {
  const kty = parseKeyType(vault, body.kty, false)
  const keyOps = parseKeyOps(kty, body.key_ops, kty === 'RSA-HSM')
  parseAttributes(body)
  parseTags(body.tags)
  vault.checkFree(name)
  if (kty === 'RSA' || kty === 'RSA-HSM') {
    const bits = parseSize(body.key_size, rsaSizes, 2048)
    const exponent = parsePublicExponent(body.public_exponent)
    return store(vault, name, body, await generateRsa(kty, bits, exponent, rsaKeyPairs), keyOps)
  }
  if (kty === 'oct-HSM') {
    return store(vault, name, body, generateOct(parseSize(body.key_size, [128, 192, 256], 256)), keyOps)
  }
  return store(vault, name, body, generateEc(kty, checkCurve(body.crv ?? 'P-256')), keyOps)
}

function parsePublicExponent(value: unknown): number {
  const exponent = value ?? 65537
  if (exponent === 3 || exponent === 17 || exponent === 65537) return exponent
  throw badParameter(`The public exponent must be 3, 17 or 65537, not ${String(exponent)}.`)
}

/**
 * PUT /keys/{name}: takes in a key, wrapped for this vault (`key_hsm`, BYOK) or plain (the private members of a JWK).
 *
 * A wrapped key may be of type RSA or EC without HSM, for testing (BYOK specification), but needs a key exchange key, and so a premium
 * vault or a Managed HSM, all the same.
 *
 * @throws {ServiceError} 400 for parameters, blob and material, 409 for a deleted name
 */
export function importKey(vault: Vault, name: string, body: Body): ServiceResponse {
  const jwk = body.key
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) {
    throw badParameter('The property "key" must be a valid JsonWebKey object.')
  }
  const hsm = body.Hsm ?? false
  if (typeof hsm !== 'boolean') throw badParameter('Property "Hsm" must be true or false.')
  const key = jwk as Body
  const kty = parseKeyType(vault, key.kty, hsm)
  const keyOps = parseKeyOps(kty, key.key_ops, false)
  parseAttributes(body)
  parseTags(body.tags)
  const crv = kty.startsWith('EC') ? checkCurve(key.crv) : undefined
  vault.checkFree(name)
  if (key.key_hsm === undefined || key.key_hsm === null) {
    return store(vault, name, body, keyFromJwk(kty, crv, key), keyOps)
  }
  if (vault.spec.kind === 'standard') {
    throw badParameter('Hardware key operation not allowed on standard vault', 'KeyTypeNotSupported')
  }
  return store(vault, name, body, openTransferBlob(vault, kty, crv, key.key_hsm), keyOps)
}

/**
 * PATCH /keys/{name}/{version}: what is given replaces what was; what is absent stays. Key material never changes.
 *
 * @throws {ServiceError} 400, 404
 */
export function updateKey(vault: Vault, name: string, version: string | undefined, body: Body): ServiceResponse {
  const found = vault.version(name, version)
  const keyOps =
    body.key_ops === undefined || body.key_ops === null ? found.keyOps : changedOperations(found, body.key_ops)
  const attributes = parseAttributes(body, found.attributes)
  const tags = parseTags(body.tags) ?? found.tags
  Object.assign(found, { keyOps, attributes, tags, updated: Math.floor(vault.now / 1000) })
  return { status: 200, body: keyBundle(vault, vault.active(name), found) }
}

/** A key exchange key has a fixed `key_ops` (BYOK specification), and no other key becomes one. */
function changedOperations(version: KeyVersion, value: unknown): KeyOperation[] {
  const isKek = version.keyOps.includes('import')
  const keyOps = parseKeyOps(version.material.kty, value, isKek)
  if (isKek && keyOps[0] !== 'import') {
    throw badParameter('The key operations of a key exchange key are fixed: "import".', 'KeyOperationsInvalid')
  }
  return keyOps
}

/** GET /keys/{name}/{version}. A disabled key is still shown. */
export function getKey(vault: Vault, name: string, version: string | undefined): ServiceResponse {
  const found = vault.version(name, version)
  return { status: 200, body: keyBundle(vault, vault.active(name), found) }
}
