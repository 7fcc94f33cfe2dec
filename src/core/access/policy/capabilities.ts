/** What a policy can grant on a path, and `deny`, which takes all away. Alphabetical, as Vault lists them. */
export const capabilityNames = ['create', 'delete', 'deny', 'list', 'patch', 'read', 'sudo', 'update'] as const

export type Capability = (typeof capabilityNames)[number]

/** What a request can need. */
export type Right = Exclude<Capability, 'deny'>

/** One bit for each capability, so that joining and asking cost nothing. */
export const bits: Readonly<Record<Capability, number>> = {
  create: 1,
  delete: 2,
  deny: 4,
  list: 8,
  patch: 16,
  read: 32,
  sudo: 64,
  update: 128,
}

export function isCapability(name: string): name is Capability {
  return Object.hasOwn(bits, name)
}

/** The bits of a list. `deny` beats all others beside it, as in Vault. */
export function maskOf(capabilities: readonly Capability[]): number {
  let mask = 0
  for (const capability of capabilities) mask |= bits[capability]
  return (mask & bits.deny) !== 0 ? bits.deny : mask
}

/** The names of the bits of a mask, alphabetically. */
export function namesOf(mask: number): Capability[] {
  return capabilityNames.filter((name) => (mask & bits[name]) !== 0)
}

/** Vault's old shorthand, `policy = "write"`. */
export const shorthand: ReadonlyMap<string, readonly Capability[]> = new Map<string, readonly Capability[]>([
  ['deny', ['deny']],
  ['read', ['read', 'list']],
  ['write', ['create', 'read', 'update', 'delete', 'list']],
  ['sudo', ['create', 'read', 'update', 'delete', 'list', 'sudo']],
])
