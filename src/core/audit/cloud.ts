import type { Cause } from '../kms/cause.ts'
import type { CloudOutcome } from '../telemetry.ts'
import type { AuditHasher } from './hash.ts'

/** Where a call goes, as far as it may be written down. */
export interface CalledPlace {
  provider: string
  namespace: { id: string; path: string }
  /** Missing where a removal goes on after its KMS was deleted. */
  kms?: { id: string; name: string } | undefined
}

/** A call to a cloud as it is recorded. */
export interface AuditedCall {
  /** The same in both of its lines. */
  id: string
  /** A `CloudOperation`; or `create`, `pin` and `retire` for key encryption keys. */
  operation: string
  place: CalledPlace
  cause: Cause
  /** What is sent, without key material and credentials: texts are hashed here. */
  data: Readonly<Record<string, unknown>>
}

/** What came of a call. */
export interface AuditedOutcome {
  outcome: CloudOutcome
  /** Of the cloud's HTTP answer, and its own code for what was wrong. */
  status?: number | undefined
  code?: string | undefined
  ms?: number
  data?: Readonly<Record<string, unknown>>
}

/** Fields whose values are words of ours. */
const plain: ReadonlySet<string> = new Set(['type', 'protection', 'purpose', 'state', 'reason'])

/** The `request` part of both lines. */
export function requestPart(hasher: AuditHasher, call: AuditedCall): string {
  const { provider, namespace, kms } = call.place
  const { operationId, requestId } = call.cause
  return JSON.stringify({
    id: call.id,
    operation: call.operation,
    provider,
    namespace: { id: namespace.id, ...(namespace.path === '' ? {} : { path: `${namespace.path}/` }) },
    ...(kms && { kms }),
    ...(operationId !== undefined && { operation_id: operationId }),
    ...(requestId !== undefined && { request_id: requestId }),
    data: hasher.hashAll(namespace.id, call.data, plain),
  })
}

/** The `response` part, and the words of the `error` where there is one. */
export function responsePart(
  hasher: AuditHasher,
  { place }: AuditedCall,
  { outcome, status, code, ms, data }: AuditedOutcome,
): { response: string; error: string | undefined } {
  const { id } = place.namespace
  const shown = code === undefined || isCode(code) ? code : hasher.hash(id, code)
  const response = {
    outcome,
    ...(status !== undefined && { status }),
    ...(shown !== undefined && { code: shown }),
    ...(ms !== undefined && { duration_ms: Math.round(ms) }),
    ...(data && { data: hasher.hashAll(id, data, plain) }),
  }
  const error = outcome === 'ok' ? undefined : [outcome, status, shown].filter((part) => part !== undefined).join(' ')
  return { response: JSON.stringify(response), error }
}

/** A cloud's code is a word or some: what looks otherwise may be anything, and is hashed. What is said in sentences is left out whole. */
function isCode(code: string): boolean {
  return code.split('/').every((part) => /^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(part))
}
