import * as z from 'zod'
import { choice, hostAndPort, listen, listOf, publicUrl, text, trustedBlock, whole, yesOrNo } from './kinds.ts'
import { defaultListen } from './listen.ts'

/**
 * Every setting of `keyferry serve`, in one schema: the configuration file has exactly this shape, and flags and environment variables
 * (sources.ts) are other ways to say some of it. What a setting is, and what it is unless told, is said here and nowhere else: the help,
 * `keyferry config show` and the JSON Schema for editors (docs/keyferry.schema.json) have it from here.
 */

/** A part of the configuration, which is what it is when it is left out. */
function part<Shape extends z.core.$ZodLooseShape>(shape: Shape, description: string) {
  // Every setting may be left out, which the type of a shape that is not known yet cannot say.
  const nothing = {} as never
  return z.strictObject(shape, 'must hold settings, each with its name').prefault(nothing).describe(description)
}

const said = <Kind extends z.ZodType>(kind: Kind, description: string) => kind.optional().describe(description)

const milliseconds = whole(1, 3_600_000)
const limit = whole(0, 1_000_000_000)
const poolSize = whole(0, 1024)
const hour = 3_600_000

const cloud = z.strictObject(
  {
    authorityHost: said(text, 'where tokens come from: an https URL without a path'),
    vaultSuffix: said(text, 'DNS suffix of vaults, such as vault.azure.net'),
    managedHsmSuffix: said(text, 'DNS suffix of Managed HSMs; without it none can be named in this cloud'),
    instanceDiscovery: said(
      yesOrNo,
      'whether Microsoft may be asked about the authority: in built-in clouds only, unless told',
    ),
    connectTo: said(
      text,
      'HOST:PORT to which sockets for vaults go, while names in URL, TLS and Host header stay real',
    ),
    authorityConnectTo: said(text, 'the same for the authority'),
    caFile: said(text, "PEM file with certificates that are trusted for this cloud, beside the system's"),
    serviceVersion: said(text, 'api-version of the vaults'),
    kekType: said(
      choice('RSA-HSM', 'RSA'),
      'type of the key encryption key; RSA, for vaults without an HSM, only under a suffix of your own',
    ),
    tokenResource: said(
      text,
      'the resource that tokens are for, where a vault names one that is no parent of its own name',
    ),
  },
  'must hold settings, each with its name',
)

export const settingsSchema = z.strictObject({
  data: said(text, 'the data folder that "keyferry init" made'),
  listen: listen.default(defaultListen).describe('HOST:PORT to listen on; port 0 takes a free one'),
  publicUrl: said(publicUrl, 'origin under which clients reach the gateway; the host of each request unless told'),
  tls: part(
    {
      cert: said(text, 'certificate chain (PEM file); read anew when it changes, and at SIGHUP'),
      key: said(text, 'its private key (PEM file)'),
      minVersion: choice('TLSv1.2', 'TLSv1.3').default('TLSv1.2').describe('oldest version of TLS that is spoken'),
    },
    'TLS of the listener; without it tokens travel in the clear',
  ),
  http: part(
    {
      headerTimeoutMs: whole(10, 600_000)
        .default(10_000)
        .describe('how long the header of a request may take to come in, in ms'),
      bodyTimeoutMs: whole(10, 600_000).default(30_000).describe('how long its body may take after that, in ms'),
      keepAliveMs: whole(10, 3_600_000)
        .default(75_000)
        .describe('how long a connection may rest between requests, in ms'),
      maxHeaderBytes: whole(2048, 262_144).default(16_384).describe('largest header of a request, in bytes'),
      maxBodyBytes: whole(1024, 33_554_432).default(1_048_576).describe('largest body of a request, in bytes'),
      trustedProxies: listOf(trustedBlock)
        .default([])
        .describe('addresses or CIDR blocks of proxies whose X-Forwarded-For is believed'),
    },
    'how requests are taken',
  ),
  rootKey: part(
    {
      file: said(text, 'the root key, when it is not DIR/root.key'),
      previousFile: said(text, 'the root key before it, during a rotation, when it is not DIR/root.key-previous'),
    },
    'where the root key is',
  ),
  log: part(
    {
      level: choice('info', 'warn', 'error').default('info').describe('the least that is logged: info, warn or error'),
      format: said(choice('text', 'json'), 'text or json; text on a terminal, json elsewhere, unless told'),
    },
    'what goes to standard error',
  ),
  audit: part(
    {
      file: said(text, 'file in which every request and answer is recorded; SIGHUP opens it anew'),
      stdout: yesOrNo.default(false).describe('the same lines to standard output'),
      elideListResponses: yesOrNo.default(false).describe('say how many names a list had, not which'),
    },
    'where every request and answer is recorded: nowhere unless told',
  ),
  telemetry: part(
    {
      metrics: choice('policy', 'open', 'off')
        .default('policy')
        .describe('who may read metrics: whom a policy lets (policy), everybody (open), nobody (off)'),
    },
    'what monitoring sees',
  ),
  limits: part(
    {
      namespaces: said(limit, 'namespaces below one of the first level, however deep'),
      keys: said(limit, 'keys'),
      versions: said(limit, 'versions of keys'),
      kms: said(limit, 'KMSs'),
      tokens: said(limit, 'service tokens and wrapped answers'),
      operations: said(limit, 'operations under way'),
    },
    'how much each namespace may have: any number unless told',
  ),
  issuers: part(
    {
      allowedHosts: listOf(hostAndPort)
        .default([])
        .describe('hosts, with a port or without, that may be at any address, and not at public ones only'),
    },
    'issuers of JWTs that tenants may log in with',
  ),
  reconcileEveryMs: whole(60_000, 30 * 24 * hour)
    .default(6 * hour)
    .describe('how often each copy is compared with its cloud, in ms'),
  stopGraceMs: milliseconds
    .default(10_000)
    .describe('how long requests under way may take to end when the process is asked to stop, in ms'),
  keyPool: part(
    {
      'rsa-2048': poolSize.default(32).describe('ready keys of this type'),
      'rsa-3072': poolSize.default(16).describe('ready keys of this type'),
      'rsa-4096': poolSize.default(8).describe('ready keys of this type'),
    },
    'how many RSA keys are made ahead of need',
  ),
  azure: part(
    {
      callTimeoutMs: milliseconds.default(30_000).describe('how long one step of a call to a vault may take, in ms'),
      proxy: part(
        {
          httpsProxy: said(text, 'URL of the proxy; HTTPS_PROXY unless told'),
          noProxy: said(text, 'hosts that are reached without it; NO_PROXY unless told'),
        },
        'the proxy on the way to Azure',
      ),
      ambient: part(
        {
          namespaces: listOf(z.string('must be a text').max(1024, 'must not be longer than 1024 characters'))
            .default([''])
            .describe('paths of namespaces that these credentials serve; "" is the root'),
          vaults: said(listOf(text), 'names of vaults that they serve; all unless told'),
          managedIdentity: yesOrNo.default(false).describe("whether the host's managed identities are used"),
          environment: yesOrNo.default(true).describe('whether the AZURE_* variables of the process are used'),
          federatedTokenFile: said(text, 'token file of a workload identity; AZURE_FEDERATED_TOKEN_FILE unless told'),
          imdsHost: said(text, 'HOST:PORT in place of the address of the metadata service'),
        },
        "the operator's own credentials",
      ),
      clouds: z
        .record(text, cloud, 'must hold clouds, each with its name')
        .default({})
        .describe("clouds of your own, by name; or, under a built-in name, what differs from Microsoft's"),
    },
    "Azure Key Vault: all of it is the operator's alone",
  ),
  $schema: said(text, 'where editors find the schema of this file; nothing else reads it'),
})

export type Settings = z.infer<typeof settingsSchema>
/** What a configuration file holds: any part of the settings. */
export type SaidSettings = z.input<typeof settingsSchema>
