import type { AppOptions } from '../../options.ts'

/** The Vault whose API this is: 2.0 brought the last paths of the Key Management engine. */
const vaultVersion = '2.0.0'

/** Semantic version (2.0.0) with our own behind the plus sign, where clients that compare versions do not look. */
export function shownVersion({ version }: AppOptions): string {
  return `${vaultVersion}+keyferry.${version}`
}
