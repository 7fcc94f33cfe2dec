import * as z from 'zod'

/**
 * The permissions that a principal can hold on keys, by the names that Azure's access policies use. `backup`, `restore`, `release`
 * and `rotate` may be granted, but the emulator does not serve these operations.
 */
export const allPermissions = [
  'backup',
  'create',
  'decrypt',
  'delete',
  'encrypt',
  'get',
  'import',
  'list',
  'purge',
  'recover',
  'release',
  'restore',
  'rotate',
  'sign',
  'unwrapKey',
  'update',
  'verify',
  'wrapKey',
] as const

export type Permission = (typeof allPermissions)[number]

const permissionList = z.array(z.enum(allPermissions))

/** A DNS name in lower or upper case, without a final dot. */
const dnsName = z
  .string()
  .regex(/^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$/i, 'must be a DNS name')

const tenantId = z.string().regex(/^[0-9a-zA-Z.-]{1,128}$/, 'must be a tenant id: letters, digits, "-" and "."')

const pem = z.string().regex(/-----BEGIN CERTIFICATE-----/, 'must be a certificate in PEM')

/**
 * A vault or Managed HSM. `suffix` is the rest of its host name (default `vault.azure.net`, or `managedhsm.azure.net`), `tenantId`
 * the tenant that its challenge names (default: the emulator's), `deletionSeconds` how long deleting and recovering take to settle.
 * `authorization` chooses between access policies and role assignments, which differ only in the text of a 403. `firewall: true`
 * refuses every caller. `throttle: true` keeps Azure's limits for creating and importing keys; `retryAfterSeconds` adds the header
 * that the real service was not seen to send.
 */
export const vaultSpec = z.strictObject({
  name: z
    .string()
    .regex(
      /^(?!.*--)[a-zA-Z][a-zA-Z0-9-]{1,22}[a-zA-Z0-9]$/,
      'must be 3 to 24 letters, digits and single "-", begin with a letter and end with a letter or digit',
    ),
  kind: z.enum(['premium', 'standard', 'managedhsm']),
  suffix: dnsName.optional(),
  tenantId: tenantId.optional(),
  softDeleteRetentionDays: z.int().min(7).max(90).default(90),
  purgeProtection: z.boolean().default(false),
  deletionSeconds: z.number().min(0).default(0),
  authorization: z.enum(['policy', 'rbac']).default('policy'),
  firewall: z.boolean().default(false),
  throttle: z.boolean().default(false),
  retryAfterSeconds: z.int().min(0).optional(),
})

export type VaultSpec = z.input<typeof vaultSpec>

/**
 * Who may ask for tokens and use the vaults: a service principal with a secret, certificates (PEM) or federated credentials (an
 * issuer, a subject and the issuer's public keys as a JWK set), or a managed identity. `permissions` and `vaults` (vault names) are
 * everything by default.
 */
export const principalSpec = z.strictObject({
  tenantId,
  clientId: z.string().min(1).max(128),
  objectId: z.string().min(1).max(128).optional(),
  clientSecret: z.string().min(1).optional(),
  certificates: z.array(pem).optional(),
  federatedCredentials: z
    .array(
      z.strictObject({
        issuer: z.string().min(1),
        subject: z.string().min(1),
        audience: z.string().min(1).default('api://AzureADTokenExchange'),
        jwks: z.object({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) }),
      }),
    )
    .optional(),
  managedIdentity: z
    .union([
      z.boolean(),
      z.strictObject({ systemAssigned: z.boolean().optional(), resourceId: z.string().min(1).optional() }),
    ])
    .optional(),
  permissions: permissionList.optional(),
  vaults: z.array(z.string()).optional(),
})

export type PrincipalSpec = z.input<typeof principalSpec>

/** What a principal may do from now on; `permissions: null` means everything. */
export const restrictionSpec = z.strictObject({
  permissions: permissionList.nullable(),
  vaults: z.array(z.string()).nullable().optional(),
})

/**
 * A fault. `match` says which requests: by method, by a regular expression on the path, by vault name, by host, by operation (the
 * names in `operations.ts`); all that are given must hold. Requests without a token (the SDK's first one, which asks for the
 * challenge) match only `operation: 'challenge'`. `action`, in the order in which it happens: wait `delayMs`, drop the connection
 * `before` the effect or answer `status` without one; else let the request take effect, wait `answerDelayMs`, and drop the
 * connection `after` it or, with `effect: true`, answer `status` in place of the true answer. `headers` are added to whichever
 * answer leaves. At most `times` requests are hit (default: all), each with `probability` (default 1) by a generator that starts
 * from `seed`.
 */
export const faultSpec = z.strictObject({
  match: z
    .strictObject({
      method: z.string().optional(),
      pathPattern: z
        .string()
        .refine((pattern) => {
          try {
            return new RegExp(pattern) instanceof RegExp
          } catch {
            return false
          }
        }, 'must be a regular expression')
        .optional(),
      vault: z.string().optional(),
      host: z.string().optional(),
      operation: z.string().optional(),
    })
    .default({}),
  action: z.strictObject({
    status: z.int().min(200).max(599).optional(),
    body: z.unknown().optional(),
    headers: z.record(z.string(), z.string()).optional(),
    effect: z.boolean().optional(),
    delayMs: z.number().min(0).max(600_000).optional(),
    answerDelayMs: z.number().min(0).max(600_000).optional(),
    drop: z.enum(['before', 'after']).optional(),
  }),
  times: z.int().min(1).optional(),
  probability: z.number().min(0).max(1).optional(),
  seed: z.int().optional(),
})

export type FaultSpec = z.input<typeof faultSpec>

export const clockSpec = z.strictObject({ advanceMs: z.number() })

/**
 * Checks `value` against a schema.
 *
 * @throws {TypeError} naming each wrong field: a mistake in a test's set-up, never in a request to a vault
 */
export function parseSpec<T extends z.ZodType>(what: string, schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const problems = result.error.issues.map((issue) => `${issue.path.join('.') || 'value'}: ${issue.message}`)
  throw new TypeError(`Not a ${what}: ${problems.join('; ')}.`)
}
