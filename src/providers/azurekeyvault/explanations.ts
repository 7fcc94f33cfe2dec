import type { Operation, ServiceAnswer } from './errors.ts'

interface Rule {
  status: number
  /** One of the service's codes. */
  code?: RegExp
  /** Against the service's message, where codes do not tell. */
  message?: RegExp
  action?: Operation['action'][]
  say: string | ((operation: Operation) => string)
}

const rbac = (operation: Operation): string =>
  operation.kind === 'managedhsm'
    ? operation.action === 'recover'
      ? 'the identity has no role in this Managed HSM with the permission "recover" on deleted keys: it belongs to Managed HSM Crypto ' +
        'Officer, and a new assignment takes some minutes'
      : `the identity has no role in this Managed HSM with the permission "${operation.action}" on keys: importing, creating and deleting ` +
        'belong to Managed HSM Crypto User, and a new assignment takes some minutes'
    : `the identity has no role on this vault with the permission "${operation.action}" on keys (Azure RBAC): Key Vault Crypto Officer ` +
      'has it, and a new assignment takes some minutes'

const accessPolicy = (operation: Operation): string =>
  `the vault's access policies do not give the identity the key permission "${operation.action}": add it to its access policy`

/**
 * Plain words for the refusals that people meet, most telling first. Codes and texts: Microsoft Learn, "Azure Key Vault REST API
 * error codes" and "BYOK specification"; texts of recordings in the SDK's repositories.
 */
const rules: readonly Rule[] = [
  {
    status: 401,
    message: /AKV10032|issuer/i,
    say: 'the vault belongs to another tenant: tenant_id must be the tenant of the subscription that the vault is in',
  },
  {
    status: 401,
    message: /lifetime|expired|not yet valid|AKV10023/i,
    say: 'the token is not valid now: is the clock of this machine right?',
  },
  {
    status: 401,
    say: 'the token was not accepted: does tenant_id belong to the vault, and is this the right environment?',
  },
  {
    status: 403,
    code: /ForbiddenByFirewall/,
    say: "the vault's firewall does not let this address in: add it to the vault's networking rules, or use a private endpoint",
  },
  {
    status: 403,
    message: /client address is not authorized/i,
    say: "the vault's firewall does not let this address in: add it to the vault's networking rules, or use a private endpoint",
  },
  {
    status: 403,
    code: /ForbiddenByConnection/,
    say: 'the vault has public access switched off and was not reached over its private endpoint: check DNS and routing to it',
  },
  {
    status: 403,
    message: /public network access is disabled/i,
    say: 'the vault has public access switched off and was not reached over its private endpoint: check DNS and routing to it',
  },
  { status: 403, code: /KeyDisabled/, say: 'the key is disabled there' },
  { status: 403, message: /disabled key|key is disabled/i, say: 'the key is disabled there' },
  { status: 403, code: /ForbiddenByPolicy/, say: 'a policy of the organisation (Azure Policy) forbids such keys' },
  { status: 403, code: /ForbiddenByRbac/, say: rbac },
  { status: 403, message: /not authorized to perform action/i, say: rbac },
  { status: 403, code: /AccessDenied/, say: accessPolicy },
  { status: 403, message: /does not have keys? .*permission/i, say: accessPolicy },
  { status: 403, say: (operation) => `the identity lacks the permission "${operation.action}" on keys there` },
  {
    status: 409,
    code: /ObjectIsDeletedButRecoverable/,
    say: 'the name is held by a key that is deleted but recoverable: it is free again when that key is purged or its retention ends',
  },
  {
    status: 409,
    message: /deleted but recoverable/i,
    say: 'the name is held by a key that is deleted but recoverable',
  },
  {
    status: 409,
    code: /ObjectIsBeingDeleted/,
    say: 'a key of that name is being deleted: its name cannot be used yet',
  },
  { status: 409, code: /ObjectIsBeingRecovered/, say: 'a key of that name is being recovered' },
  { status: 409, say: 'a key of that name is deleted, being deleted or being recovered' },
  { status: 404, code: /KeyNotFound/, say: 'there is no such key or version' },
  { status: 429, say: 'the vault gets more requests than it takes' },
  {
    status: 400,
    message: /api-version|specified version/i,
    say: "it does not know the api-version that was asked for: the cloud's serviceVersion must be one that it serves",
  },
  {
    status: 400,
    message: /\b(sku|standard|premium)\b/i,
    say: 'the vault is of the standard tier, which has no HSM: use a premium vault, or distribute with protection software',
  },
  {
    status: 400,
    action: ['import'],
    message: /key exchange|exchange key|wrapping key|encryption key|\bkek\b|key_hsm|transfer/i,
    say: 'the wrapped key was not taken: the key encryption key there may have been changed, or has other operations than import',
  },
  {
    status: 400,
    code: /KeyTypeNotSupported/,
    say: 'it does not hold keys of this type',
  },
  { status: 400, message: /kty|key type/i, say: 'it does not hold keys of this type' },
]

/** Plain words for an answer, or undefined when the service's own have to do. */
export function explain(operation: Operation, answer: ServiceAnswer): string | undefined {
  if (answer.status >= 300 && answer.status < 400) return 'it answered with a redirect, and these are never followed'
  if (answer.status === 407) return 'the proxy asks for credentials: put them into the URL of HTTPS_PROXY'
  if (answer.status >= 500 || answer.status === 408) return 'the service has a problem of its own'
  const rule = rules.find(
    ({ status, code, message, action }) =>
      status === answer.status &&
      (code === undefined || code.test(answer.serviceCode ?? '')) &&
      (message === undefined || message.test(answer.message ?? '')) &&
      (action === undefined || action.includes(operation.action)),
  )
  return typeof rule?.say === 'function' ? rule.say(operation) : rule?.say
}
