import type { z } from 'zod'
import type { Caller } from '../../core/access/authenticator.ts'
import type { Scope, Waiting } from '../../core/context.ts'
import type { Core } from '../../core/core.ts'
import { checkName } from '../../core/names.ts'
import type { AuthMountRow, Awaitable, NamespaceRow } from '../../core/store.ts'
import type { AppOptions } from '../options.ts'
import { type Answers, namesAnswer } from './answers.ts'
import { decodeFields } from './decode.ts'
import type { Answer } from './envelope.ts'
import { ignoredFields, type Known, knownFields, withWarnings } from './ignored.ts'
import { type Page, parsePage } from './query.ts'

/** What a token may be allowed to do with a path: Vault's words. */
export type Capability = 'create' | 'read' | 'update' | 'delete' | 'list' | 'patch' | 'sudo'

/** What a request wants of a path. POST and PUT are both `write`, LIST and `GET ?list=true` both `list`. */
export type OperationName = 'read' | 'list' | 'write' | 'delete' | 'patch'

/** A request to a path that needs no token. */
export interface PublicCall {
  core: Core
  options: AppOptions
  requestId: string
}

/** A request to what a namespace has by itself: `sys/`, `auth/token/`. */
export interface SystemCall extends PublicCall {
  caller: Caller
  /** The token as it was sent, for the one answer that repeats it to its owner. */
  presentedToken: string
  namespace: NamespaceRow
}

/** A request to something that is mounted. */
export interface EngineCall extends SystemCall {
  scope: Scope
  waiting: Waiting
}

/** A request to what is at `auth/<path>`, other than `auth/token/`. */
export interface DoorCall extends SystemCall {
  door: AuthMountRow
}

/** What came with a request beside its path, not yet looked at. */
export interface Sent {
  query: URLSearchParams
  body: Readonly<Record<string, unknown>>
}

/**
 * The capability that an operation needs. Where writing makes or changes, Vault asks for `create` or `update`: then a function that looks
 * which of the two it would be.
 */
export type Needed<C, P> = Capability | ((call: C, params: P) => Promise<'create' | 'update'>)

/** One operation of a path. Without a capability it is not an operation: there is no way to leave one open by forgetting. */
export interface Operation<C, P, I> {
  capability: Needed<C, P>
  /** The answer is the same for all who may have it, until something in the mount changes. */
  cacheable?: boolean
  /** May be answered with 202 while what it began goes on (`Prefer: respond-async`). */
  async?: boolean
  /** Parameters of the query beside `list`, `after` and `limit`, for OpenAPI. */
  query?: z.ZodObject
  answers?: Answers
  handler(call: C, params: P, input: I): Awaitable<Answer>
}

/** One operation of a path that is open to everybody. */
export interface PublicOperation<I> {
  unauthenticated: true
  query?: z.ZodObject
  answers?: Answers
  handler(call: PublicCall, params: unknown, input: I): Awaitable<Answer>
}

/** `key/:name/rotate` -> `{ name: string }`; `:path+` takes several parts of the path. */
export type ParamsOf<P extends string> = P extends `${infer Head}/${infer Tail}`
  ? ParamsOf<Head> & ParamsOf<Tail>
  : P extends `:${infer Name}+`
    ? Record<Name, string>
    : P extends `:${infer Name}`
      ? Record<Name, string>
      : unknown

export interface RouteText {
  /** What the path is for, in one line; shown by `?help=1`. */
  synopsis: string
  description: string
}

interface Definition<C, P, B extends z.ZodType, PB extends z.ZodType> extends RouteText {
  /** Parameters that name an object, and of which kind: checked against the rule for names before anything else is done. */
  names?: Partial<Record<keyof P & string, 'key' | 'KMS'>>
  read?: Operation<C, P, URLSearchParams>
  list?: Operation<C, P, Page>
  write?: Operation<C, P, z.output<B>> & { body: B }
  /** Of JSON merge-patch (RFC 7396), which alone is taken. */
  patch?: Operation<C, P, z.output<PB>> & { body: PB }
  delete?: Operation<C, P, URLSearchParams>
}

interface PublicDefinition<B extends z.ZodType> extends RouteText {
  read?: PublicOperation<URLSearchParams>
  write?: PublicOperation<z.output<B>> & { body: B }
}

/** What OpenAPI says of an operation. */
export interface DescribedOperation {
  body?: z.ZodType
  query?: z.ZodObject
  async?: boolean
  answers: Answers
}

/** An operation with its types worn off: what the pipeline runs. */
export interface RunnableOperation<C> extends DescribedOperation {
  capability: Needed<C, Params>
  cacheable: boolean
  /** Decodes weakly, validates strictly, calls the handler. */
  run(call: C, params: Params, sent: Sent): Awaitable<Answer>
}

export type Params = Readonly<Record<string, string>>

export interface Route<C> extends RouteText {
  /** Relative to its mount. */
  path: string
  operations: Partial<Record<OperationName, RunnableOperation<C>>>
}

export interface PublicRoute extends RouteText {
  path: string
  operations: Partial<Record<OperationName, PublicRunnable>>
}

interface PublicRunnable extends DescribedOperation {
  run(call: PublicCall, sent: Sent): Awaitable<Answer>
}

/** A path of an engine, relative to its mount. */
export function engineRoute<const P extends string, B extends z.ZodType, PB extends z.ZodType>(
  path: P,
  definition: Definition<EngineCall, ParamsOf<P>, B, PB>,
): Route<EngineCall> {
  return routeOf(path, definition)
}

/** A path under `sys/` or `auth/token/`. */
export function systemRoute<const P extends string, B extends z.ZodType, PB extends z.ZodType>(
  path: P,
  definition: Definition<SystemCall, ParamsOf<P>, B, PB>,
): Route<SystemCall> {
  return routeOf(path, definition)
}

/** A path of an auth mount, relative to it. */
export function doorRoute<const P extends string, B extends z.ZodType, PB extends z.ZodType>(
  path: P,
  definition: Definition<DoorCall, ParamsOf<P>, B, PB>,
): Route<DoorCall> {
  return routeOf(path, definition)
}

/** A path that everybody may use, in full: `sys/health`. */
export function publicRoute<B extends z.ZodType>(path: string, definition: PublicDefinition<B>): PublicRoute {
  const { read, write, synopsis, description } = definition
  return {
    path,
    synopsis,
    description,
    operations: {
      ...(read && { read: { ...described(read), run: (call, { query }) => read.handler(call, {}, query) } }),
      ...(write && {
        write: {
          ...described(write),
          body: write.body,
          run: (call, { body }) => write.handler(call, {}, decodeFields(write.body, body)),
        },
      }),
    },
  }
}

function routeOf<C, P, B extends z.ZodType, PB extends z.ZodType>(
  path: string,
  definition: Definition<C, P, B, PB>,
): Route<C> {
  const { names, read, list, write, patch, delete: remove, synopsis, description } = definition
  const checks = Object.entries(names ?? {}) as [string, 'key' | 'KMS'][]
  const runnable = <I>(
    operation: Operation<C, P, I>,
    decode: (sent: Sent) => I,
    known?: Known,
  ): RunnableOperation<C> => ({
    ...described(operation),
    // The path gave the parameters their type, and only this path is matched to them.
    capability: operation.capability as Needed<C, Params>,
    cacheable: operation.cacheable ?? false,
    run: (call, params, sent) => {
      for (const [name, kind] of checks) checkName(kind, params[name] ?? '')
      const answer = operation.handler(call, params as P, decode(sent))
      const warnings = ignoredFields(known, params, sent.body)
      return warnings.length === 0 ? answer : withWarnings(answer, warnings)
    },
  })
  const body = <S extends z.ZodType>(schema: S) => {
    return (sent: Sent) => decodeFields(schema, sent.body)
  }
  return {
    path,
    synopsis,
    description,
    operations: {
      ...(read && { read: runnable(read, ({ query }) => query) }),
      ...(list && {
        list: { ...runnable(list, ({ query }) => parsePage(query)), answers: list.answers ?? namesAnswer },
      }),
      ...(write && { write: { ...runnable(write, body(write.body), knownFields(write.body)), body: write.body } }),
      ...(patch && { patch: { ...runnable(patch, body(patch.body), knownFields(patch.body)), body: patch.body } }),
      ...(remove && { delete: runnable(remove, ({ query }) => query) }),
    },
  }
}

function described(of: { query?: z.ZodObject; async?: boolean; answers?: Answers }): DescribedOperation {
  return { ...(of.query && { query: of.query }), ...(of.async && { async: true }), answers: of.answers ?? {} }
}
