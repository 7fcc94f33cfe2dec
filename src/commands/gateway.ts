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
import { type AzureOptions, createAzureKeyVaultProvider } from '../providers/azurekeyvault/index.ts'
import { denoApi, serveDeno } from '../serve/deno.ts'
import { serveNode } from '../serve/node.ts'
import { openStore } from '../store/sqlite/index.ts'
import { version } from '../version.ts'

export interface GatewayOptions {
  /** Path of the database. */
  database: string
  rootKeys: RootKeys
  azure: AzureOptions
  listen: ListenAddress
  /** PEM. */
  tls?: { cert: string; key: string } | undefined
  keyPool?: KeyGeneratorOptions['pool']
  audit?: AuditOptions | undefined
  limits?: NamespaceLimits | undefined
  reconcileEveryMs?: number | undefined
  /** Of issuers of JWTs that may be read at any address. */
  issuerHosts?: string[] | undefined
  context: Context
  /** Called before the port opens. */
  prepare?: (core: Core) => Promise<void>
}

export interface Gateway {
  /** Where it answers, with the port that was taken. */
  url: string
  /** After files were moved away: opens the audit log anew. */
  reopen(): Promise<void>
  /** Takes no new requests, waits up to `graceMs` for those under way, and closes the database last. */
  close(graceMs: number): Promise<void>
}

/** Puts the parts together and listens. What fails leaves nothing open. Throws a sentence for whatever the operator can mend. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { rootKeys, listen, tls, context } = options
  const registry = new ProviderRegistry().register(createAzureKeyVaultProvider(options.azure))
  const generator = createKeyGenerator(options.keyPool ? { pool: options.keyPool } : {})
  const undo: (() => unknown)[] = [() => generator.close()]
  try {
    const store = openStore({ file: options.database })
    undo.unshift(() => store.close())
    const core = await createCore({
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
    const app = createApp(core, { version })
    const serve = denoApi() ? serveDeno : serveNode
    const server = await serve(app, { ...listen, ...(tls && { tls }) }).catch(refused)
    return {
      url: server.url,
      reopen: () => core.audit.reopen(),
      close: async (graceMs) => {
        await server.close(graceMs)
        await core.close()
        store.close()
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
