import { invalid, KeyferryError } from '../errors.ts'
import { CloudError, type Connection, type Finding, type WrappingKeyRotation } from './provider.ts'

/** From best to worst: the worst finding is what a preflight comes to. */
export const levels = ['ok', 'info', 'warning', 'error'] as const satisfies readonly Finding['level'][]

/** What a preflight found, in the order in which it looked. */
export interface Diagnosis {
  level: Finding['level']
  findings: Finding[]
}

/** Runs a KMS's preflight. Throws `invalid` where its provider has none. */
export async function diagnose(connection: Connection, providerName: string): Promise<Diagnosis> {
  if (!connection.diagnose) throw invalid(`a preflight is not supported by provider ${providerName}`)
  const findings = await connection.diagnose()
  return { level: worstOf(findings), findings }
}

/** The worst level among findings; `ok` where there are none. */
export function worstOf(findings: readonly Finding[]): Finding['level'] {
  return levels[Math.max(0, ...findings.map(({ level }) => levels.indexOf(level)))] ?? 'ok'
}

/**
 * Replaces the key encryption key. Throws `invalid` where the provider has none, `refused` with the cloud's reason: also where it is
 * only down, since sending the request again would make another key.
 */
export async function rotateWrappingKey(connection: Connection, providerName: string): Promise<WrappingKeyRotation> {
  if (!connection.rotateWrappingKey)
    throw invalid(`rotating a key encryption key is not supported by provider ${providerName}`)
  try {
    return await connection.rotateWrappingKey()
  } catch (error) {
    if (error instanceof CloudError) throw new KeyferryError('refused', error.message, { cause: error })
    throw error
  }
}
