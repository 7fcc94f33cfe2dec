import { unsealing } from '../config/root-key.ts'
import type { Settings } from '../config/settings.ts'
import { type RootKeys, unseal } from '../core/seal/unsealing.ts'

/**
 * Reads the root keys of a data folder (undefined: one that is not made yet). The variables are taken out of the environment once they are
 * read: nothing that runs later has a use for them.
 */
export async function readRootKeys(settings: Settings, dataFolder: string | undefined): Promise<RootKeys> {
  const { file, previousFile } = settings.rootKey ?? {}
  const roots = await unseal(unsealing({ file, previousFile, dataFolder, environment: process.env }))
  delete process.env.KEYFERRY_ROOT_KEY
  delete process.env.KEYFERRY_ROOT_KEY_PREVIOUS
  return roots
}
