import { ask } from '../client/ask.ts'
import type { Gateway } from '../client/gateway.ts'
import { printable } from '../client/refusals.ts'
import { CommandError, exitCodes } from '../config/exit-codes.ts'
import type { Finding } from '../core/kms/provider.ts'

/**
 * Asks a running gateway for the preflight of a KMS. Throws a `CommandError`: 78 where the token or the names are not right, 69 where
 * the gateway does not answer.
 */
export async function diagnoseKms(options: { kms: string; mount: string; gateway: Gateway }): Promise<Finding[]> {
  const { kms, mount, gateway } = options
  if (gateway.token === undefined) {
    throw new CommandError(
      exitCodes.config,
      'there is no token: run "keyferry login", or set VAULT_TOKEN to one that may read the KMS',
    )
  }
  const path = [...mount.split('/').filter((part) => part !== ''), 'kms', kms, 'diagnose'].join('/')
  const { status, body } = await ask(gateway, 'GET', path).catch((error: unknown) => {
    throw error instanceof CommandError
      ? new CommandError(exitCodes.unavailable, error.message, { cause: error })
      : error
  })
  const findings = body?.data?.findings
  if (status === 200 && Array.isArray(findings)) return findings
  const said = printable((body?.errors ?? []).join('; ').trim())
  const where = gateway.address.origin
  if (status === 404) {
    throw new CommandError(
      exitCodes.config,
      `there is no KMS "${kms}" at ${mount}/ of ${where}${said && `: ${said}`}. "keyferry list ${mount}/kms" shows which there are`,
    )
  }
  if (status >= 500)
    throw new CommandError(exitCodes.unavailable, `the gateway at ${where} answered ${status}: ${said}`)
  const advice = status === 403 ? '. The token must be one that may read the KMS: "keyferry login" takes another' : ''
  throw new CommandError(
    exitCodes.config,
    `the gateway at ${where} refused (${status}): ${said || 'no reason given'}${advice}`,
  )
}
