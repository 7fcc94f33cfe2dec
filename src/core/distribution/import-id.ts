/**
 * Import ids: one per copy and version, the same in every attempt, written into the cloud as a tag. They carry the number of the version, so
 * that a gateway that lost its latest days to a restore sees there which numbers are taken.
 */
export function importIdOf(version: number, random: string): string {
  return `v${version}-${random}`
}

/** The number of the version that an import id is of; undefined where it is none of ours, or from before ids carried it. */
export function versionOfImportId(importId: string | null): number | undefined {
  const digits = /^v([1-9][0-9]{0,8})-/.exec(importId ?? '')?.[1]
  return digits === undefined ? undefined : Number(digits)
}
