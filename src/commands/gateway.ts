import { CommandError, exitCodes, systemCode } from '../config/exit-codes.ts'
import type { ListenAddress } from '../config/listen.ts'
import type { NamespaceLimits } from '../core/access/limits.ts'
import type { AuditOptions } from '../core/audit/service.ts'
import type { Context } from '../core/context.ts'
import { type Core, createCore } from '../core/core.ts'
import { KeyferryError } from '../core/errors.ts'
import { createKeyGenerator, type KeyGeneratorOptions } from '../core/keys/pool.ts'
import { ProviderRegistry } from '../core/kms/registry.ts'
import type { RootKeys } from '../core/seal/unsealing.ts'
import { createApp } from '../http/app.ts'
import type { AppOptions } from '../http/options.ts'
import { type AzureOptions, createAzureKeyVaultProvider } from '../providers/azurekeyvault/index.ts'
import { denoApi, serveDeno } from '../serve/deno.ts'
import { collectStart } from '../serve/node/collect-start.ts'
import { type NodeOptions, type Served, serveNode } from '../serve/node.ts'
import type { Tls } from '../serve/tls.ts'
import { openStore } from '../store/sqlite/index.ts'
import { createTelemetry } from '../telemetry/index.ts'
import { version } from '../version.ts'
import { failpoints } from './failpoints.ts'

export interface GatewayOptions {
  /** Path of the database. */
  database: string
  rootKeys: RootKeys
  azure: AzureOptions
  listen: ListenAddress
  tls?: Tls | undefined
  /** How requests are taken. */
  http?: Omit<NodeOptions, 'host' | 'port' | 'tls'> | undefined
  /** Under which origin clients reach it; by the host of each request unless told. */
  publicUrl?: string | undefined
  keyPool?: KeyGeneratorOptions['pool']
  audit?: AuditOptions | undefined
  limits?: NamespaceLimits | undefined
  reconcileEveryMs?: number | undefined
  /** Of issuers of JWTs that may be read at any address. */
  issuerHosts?: string[] | undefined
  /** Who may read the metrics. */
  metrics?: AppOptions['metrics'] | undefined
  context: Context
  /** Called before the port opens. */
  prepare?: (core: Core) => Promise<void>
}

export interface Gateway {
  /** Where it answers, with the port that was taken. */
  url: string
  /** After files were moved away: opens the audit log anew. */
  reopen(): Promise<void>
  /** As a server's: not there without TLS, nor where the platform cannot do it. */
  replaceTls: Served['replaceTls']
  /** Takes no new requests, waits up to `graceMs` for those under way, and closes the database last. */
  close(graceMs: number): Promise<void>
}

/** Puts the parts together and listens. What fails leaves nothing open. Throws a sentence for whatever the operator can mend. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { rootKeys, listen, tls, context } = options
  const crash = failpoints(process.env.KEYFERRY_FAILPOINT)
  const azure = createAzureKeyVaultProvider(options.azure)
  const registry = new ProviderRegistry().register(crash?.provider(azure) ?? azure)
  const generator = createKeyGenerator(options.keyPool ? { pool: options.keyPool } : {})
  const undo: (() => unknown)[] = [() => generator.close()]
  try {
    const opened = openStore({ file: options.database, warn: (message) => context.log('warn', message) })
    const store = crash?.store(opened) ?? opened
    undo.unshift(() => store.close())
    const telemetry = createTelemetry(version)
    const core = await createCore({
      observer: telemetry,
      store,
      rootKey: rootKeys.current,
      previousRootKey: rootKeys.previous,
      registry,
      generator,
      context,
      ...(options.audit && { audit: options.audit }),
      ...(options.limits && { limits: options.limits }),
      ...(options.reconcileEveryMs && { lookTiming: { everyMs: options.reconcileEveryMs } }),
      ...(options.issuerHosts && { issuerDocuments: { allowedHosts: options.issuerHosts } }),
    })
    undo.unshift(() => core.close())
    await options.prepare?.(core)
    const app = createApp(core, {
      version,
      telemetry,
      publicUrl: options.publicUrl,
      ...(options.http?.maxBodyBytes && { maxBodyBytes: options.http.maxBodyBytes }),
      ...(options.metrics && { metrics: options.metrics }),
    })
    const onDeno = denoApi() !== undefined
    const serve = onDeno ? serveDeno : serveNode
    const server = await serve(app, { ...options.http, ...listen, ...(tls && { tls }) }).catch(refused)
    const stopCollecting = onDeno ? undefined : collectStart()
    return {
      url: server.url,
      reopen: () => core.audit.reopen(),
      replaceTls: server.replaceTls,
      close: async (graceMs) => {
        stopCollecting?.()
        try {
          await server.close(graceMs)
        } finally {
          await core.close()
          store.close()
        }
      },
    }
  } catch (error) {
    for (const step of undo) await step()
    throw error
  }
}

/** Where another program has the port, says what to do about it. */
function refused(error: unknown): never {
  if (!(error instanceof KeyferryError) || systemCode(error.cause) !== 'EADDRINUSE') throw error
  const hint = 'Stop that one, or choose another port with --listen HOST:PORT'
  throw new CommandError(exitCodes.unavailable, `${error.message}. ${hint}`, { cause: error })
}
