/**
 * Packages that the binary holds apart from the rest, since most starts and a gateway at rest have no use for them: V8 keeps the text of
 * what it compiles in memory, so that this one is there once a package of it is asked for.
 */
export const rarePackages = ['@azure/identity', '@azure/keyvault-keys', '@peculiar/x509'] as const

/** What the bundle of them exports: each is run when it is first called for. */
export type RarePackages = Record<(typeof rarePackages)[number], () => unknown>

export function isRare(name: string): name is keyof RarePackages {
  return rarePackages.some((one) => one === name)
}

/** The bundle's source, for esbuild: what it requires by name it finds. */
export function rarePackagesSource(): string {
  return rarePackages
    .map((name) => `exports[${JSON.stringify(name)}] = () => require(${JSON.stringify(name)})\n`)
    .join('')
}
