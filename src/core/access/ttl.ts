/** Ten years, in seconds: what no renewal of any token goes beyond, root and periodic ones among them. */
export const outerBound = 10 * 365 * 24 * 3600

/** Vault's system defaults: 32 days. */
export const systemMaxTtl = 32 * 24 * 3600
