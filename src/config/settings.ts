import * as z from 'zod'
import { listenForm, parseListen } from './listen.ts'

/**
 * Every setting of `keyferry serve`, in one schema: the configuration file has exactly this shape, and flags and environment
 * variables (sources.ts) are other ways to say some of it. All is optional; defaults are applied where a setting is used.
 */
const text = z.string().min(1, 'must not be empty').max(4096)
const listen = text.refine((value) => parseListen(value) !== undefined, `must be ${listenForm}`)
const milliseconds = z.int().min(1).max(3_600_000)
const limit = z.int().min(0).max(1_000_000_000)
const hostAndPort = text.refine(
  (value) => /^(?:[\w-]+(?:\.[\w-]+)*|\[[\da-f:.]+\])(?::\d{1,5})?$/i.test(value),
  'must be a host, such as idp.example.com, or a host and port, such as idp.example.com:8443',
)
const poolSize = z.int().min(0).max(1024)

const cloud = z.strictObject({
  authorityHost: text.optional(),
  vaultSuffix: text.optional(),
  managedHsmSuffix: text.optional(),
  instanceDiscovery: z.boolean().optional(),
  connectTo: text.optional(),
  authorityConnectTo: text.optional(),
  /** Path of a PEM file with certificates that are trusted for this cloud, beside the system's. */
  caFile: text.optional(),
  serviceVersion: text.optional(),
  kekType: z.enum(['RSA-HSM', 'RSA']).optional(),
  tokenResource: text.optional(),
})

const ambient = z.strictObject({
  /** Namespaces that may use the operator's own credentials; '' is the root, which alone may unless told. */
  namespaces: z.array(z.string().max(1024)).max(1000).optional(),
  vaults: z.array(text).max(1000).optional(),
  managedIdentity: z.boolean().optional(),
  /** Whether AZURE_* variables of the process are used: true unless told. */
  environment: z.boolean().optional(),
  federatedTokenFile: text.optional(),
  imdsHost: text.optional(),
})

const proxy = z.strictObject({ httpsProxy: text.optional(), noProxy: text.optional() })

export const settingsSchema = z.strictObject({
  data: text.optional(),
  listen: listen.optional(),
  tls: z.strictObject({ cert: text.optional(), key: text.optional() }).optional(),
  rootKey: z.strictObject({ file: text.optional(), previousFile: text.optional() }).optional(),
  log: z
    .strictObject({ level: z.enum(['info', 'warn', 'error']).optional(), format: z.enum(['text', 'json']).optional() })
    .optional(),
  /** Where every request and answer is recorded; nowhere unless told. */
  audit: z
    .strictObject({
      /** Path of the file that lines are added to. */
      file: text.optional(),
      /** The same lines to standard output. */
      stdout: z.boolean().optional(),
      /** Says how many names a list had, not which. */
      elideListResponses: z.boolean().optional(),
    })
    .optional(),
  /** How much each namespace may have; any number unless told. */
  limits: z
    .strictObject({
      namespaces: limit.optional(),
      keys: limit.optional(),
      versions: limit.optional(),
      kms: limit.optional(),
      tokens: limit.optional(),
      operations: limit.optional(),
    })
    .optional(),
  /** Issuers of JWTs that tenants may log in with. */
  issuers: z
    .strictObject({
      /** Hosts (`idp.example.com`, `idp.example.com:8443`) that may be read at any address, not only at public ones. */
      allowedHosts: z.array(hostAndPort).max(1000).optional(),
    })
    .optional(),
  /** How often each copy is compared with its cloud. */
  reconcileEveryMs: z
    .int()
    .min(60_000)
    .max(30 * 24 * 3_600_000)
    .optional(),
  /** How long requests under way may take to end when the process is asked to stop. */
  stopGraceMs: milliseconds.optional(),
  keyPool: z
    .strictObject({ 'rsa-2048': poolSize.optional(), 'rsa-3072': poolSize.optional(), 'rsa-4096': poolSize.optional() })
    .optional(),
  azure: z
    .strictObject({
      clouds: z.record(text, cloud).optional(),
      ambient: ambient.optional(),
      proxy: proxy.optional(),
      callTimeoutMs: milliseconds.optional(),
    })
    .optional(),
})

export type Settings = z.infer<typeof settingsSchema>
