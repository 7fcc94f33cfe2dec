import { dataOf, type Gateway, type Reply } from './gateway.ts'

/** A request as somebody, in a namespace. */
export type Send = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<Reply & { json: Record<string, never> & { [name: string]: unknown } }>

/** Sends with a token, in a namespace ('' is the root). */
export function as(gateway: Gateway, token: string, namespace = ''): Send {
  return async (method, path, body, headers = {}) => {
    const reply = await gateway.send(method, path, body, {
      'x-vault-token': token,
      ...(namespace === '' ? {} : { 'x-vault-namespace': namespace }),
      ...headers,
    })
    return { ...reply, json: reply.text.startsWith('{') ? JSON.parse(reply.text) : {} }
  }
}

/** Makes a namespace with a mount at `keymgmt/`, whose parent is there. */
export async function makeNamespace(gateway: Gateway, path: string): Promise<void> {
  const [name = '', ...above] = path.split('/').reverse()
  const parent = as(gateway, gateway.rootToken, above.reverse().join('/'))
  await good(parent('PUT', `sys/namespaces/${name}`))
  await good(as(gateway, gateway.rootToken, path)('PUT', 'sys/mounts/keymgmt', { type: 'keymgmt' }))
}

/** Makes a policy of the rules, and a token with it alone. */
export async function tokenWith(
  gateway: Gateway,
  namespace: string,
  rules: string,
  more: Record<string, unknown> = {},
): Promise<string> {
  const root = as(gateway, gateway.rootToken, namespace)
  const name = `p${count++}`
  await good(root('PUT', `sys/policies/acl/${name}`, { policy: rules }))
  const made = await good(root('POST', 'auth/token/create', { policies: [name], no_default_policy: true, ...more }))
  return String((made.json.auth as unknown as { client_token: string }).client_token)
}
let count = 0

/** May do everything in its namespace and below. */
export const admin = 'path "*" { capabilities = ["create", "read", "update", "delete", "list", "patch", "sudo"] }'

/** A reply that is a success; throws what it says when not. */
export async function good<R extends Reply>(pending: Promise<R>): Promise<R> {
  const reply = await pending
  if (reply.status >= 300) throw new Error(`${reply.status} ${reply.text}`)
  return reply
}

export { dataOf }
