import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { CommandError, exitCodes, systemReason } from '../config/exit-codes.ts'
import type { Environment } from '../config/load.ts'
import type { Finding } from '../core/kms/provider.ts'

const timeoutMs = 120_000

/**
 * Asks a running gateway for the preflight of a KMS. Throws a `CommandError`: 78 where VAULT_ADDR, VAULT_TOKEN or the names are not
 * right, 69 where the gateway does not answer.
 */
export async function diagnoseKms(options: {
  kms: string
  mount: string
  environment: Environment
}): Promise<Finding[]> {
  const { kms, mount, environment } = options
  const address = environment.VAULT_ADDR ?? 'http://127.0.0.1:8200'
  const base = URL.parse(address)
  if (base?.protocol !== 'http:' && base?.protocol !== 'https:') {
    throw new CommandError(exitCodes.config, `VAULT_ADDR "${address}" is not allowed: it must be an http or https URL`)
  }
  const token = environment.VAULT_TOKEN
  if (!token)
    throw new CommandError(exitCodes.config, 'VAULT_TOKEN is missing: it must be a token that may read the KMS')
  const path = [...mount.split('/').filter((part) => part !== ''), 'kms', kms, 'diagnose']
    .map(encodeURIComponent)
    .join('/')
  const { status, text } = await get(new URL(`/v1/${path}`, base), token, environment).catch((error: unknown) => {
    if (error instanceof CommandError) throw error
    throw new CommandError(exitCodes.unavailable, `the gateway at ${address} does not answer: ${reason(error)}`, {
      cause: error,
    })
  })
  const body = parse(text)
  if (status === 200 && Array.isArray(body?.data?.findings)) return body.data.findings
  const said = Array.isArray(body?.errors) ? body.errors.join('; ').trim() : ''
  if (status === 404) {
    throw new CommandError(
      exitCodes.config,
      `there is no KMS "${kms}" at ${mount}/ of ${address}${said && `: ${said}`}`,
    )
  }
  if (status >= 500)
    throw new CommandError(exitCodes.unavailable, `the gateway at ${address} answered ${status}: ${said}`)
  throw new CommandError(
    exitCodes.config,
    `the gateway at ${address} refused (${status}): ${said || 'no reason given'}`,
  )
}

function get(url: URL, token: string, environment: Environment): Promise<{ status: number; text: string }> {
  const headers: Record<string, string> = { 'X-Vault-Token': token, 'X-Vault-Request': 'true' }
  if (environment.VAULT_NAMESPACE) headers['X-Vault-Namespace'] = environment.VAULT_NAMESPACE
  const ca = environment.VAULT_CACERT ? readCa(environment.VAULT_CACERT) : undefined
  const client = url.protocol === 'https:' ? https : http
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const request = client.get(url, { headers, signal, ...(ca !== undefined && { ca }) }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString() }))
    })
    request.on('error', reject)
  })
}

function readCa(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new CommandError(exitCodes.config, `VAULT_CACERT ${file} cannot be read: ${systemReason(error)}`)
  }
}

function parse(text: string): { data?: { findings?: Finding[] }; errors?: string[] } | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Node tells of a host with several addresses by an error without a message of its own. */
function reason(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(systemReason).join('; ')
  return systemReason(error)
}
