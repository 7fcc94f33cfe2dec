import { text } from 'node:stream/consumers'
import { ask, type Envelope } from '../client/ask.ts'
import { type Gateway, gatewayOf, gatewayOptions, sendable } from '../client/gateway.ts'
import { askHidden } from '../client/prompt.ts'
import { refused } from '../client/refusals.ts'
import { rowsOf, table } from '../client/show.ts'
import { storeToken } from '../client/token-file.ts'
import { CommandError, exitCodes } from '../config/exit-codes.ts'
import { show, showOptions, warn } from './answers.ts'
import { parseWithOperands, usageError } from './command.ts'
import { formatOf } from './format.ts'
import { checkedPath } from './path.ts'
import { fieldsGiven } from './write.ts'

const spec = {
  name: 'login',
  usage: '[TOKEN | --method approle|jwt NAME=VALUE ...] [FLAGS]',
  about: `Checks a token, or gets one for an AppRole or a JWT, and keeps it in ~/.vault-token (mode 0600), where these commands
and Vault's own look for it when VAULT_TOKEN is not set. Without TOKEN, or with "-", it is read from standard input, on
a terminal unseen: on a command line others could see it. NAME=@FILE and NAME=- are as for "keyferry write".`,
  options: {
    method: { type: 'string', value: 'METHOD', help: 'token (unless told), approle or jwt' },
    path: { type: 'string', value: 'PATH', help: 'where the method is mounted below auth/; its own name unless told' },
    'no-store': { type: 'boolean', help: 'show the token, and keep it nowhere' },
    ...showOptions,
    ...gatewayOptions,
  },
  examples: [
    'keyferry login',
    'keyferry login --method approle role_id=ROLE_ID secret_id=@secret-id',
    'keyferry login --method jwt role=build jwt=@/var/run/secrets/token',
    'VAULT_TOKEN=$(keyferry login --no-store --field token --method jwt jwt=-)',
  ],
} as const

const methods = ['token', 'approle', 'jwt']

export async function run(args: string[]): Promise<void> {
  const parsed = parseWithOperands(spec, args)
  if (!parsed) return
  const { options, operands } = parsed
  const { method = 'token', field } = options
  const format = formatOf(spec, options.format)
  if (!methods.includes(method)) {
    throw usageError(
      spec,
      `--method ${method} is not known: ${methods.slice(0, -1).join(', ')} and ${methods.at(-1)} are`,
    )
  }
  // What is in the environment or stored must not stand in the way of a login.
  const gateway = { ...gatewayOf(options, { ...process.env, VAULT_TOKEN: '', HOME: '' }), token: undefined }
  const body =
    method === 'token'
      ? await withToken(gateway, await tokenGiven(operands))
      : await withFields(gateway, checkedPath(spec, `auth/${options.path ?? method}/login`), operands)
  const token = body.auth?.client_token
  if (typeof token !== 'string') {
    throw new CommandError(exitCodes.refused, 'the gateway gave no token: "keyferry status" shows how it is')
  }
  if (!options['no-store']) {
    const file = storeToken(process.env.HOME, token)
    console.error(`keyferry: logged in; the token is kept in ${file} (mode 0600)`)
    if (process.env.VAULT_TOKEN)
      console.error('keyferry: warning: VAULT_TOKEN is set, and wins over it: unset VAULT_TOKEN')
  }
  if (field !== undefined || format === 'json' || options['no-store']) show(body, { field, format })
  else console.log(table(rowsOf(body).filter(([name]) => name !== 'token')))
}

/** Asks about the token as the token itself; gives the answer in the shape of a login's. */
async function withToken(to: Gateway, token: string): Promise<Envelope> {
  const gateway = { ...to, token }
  const path = 'auth/token/lookup-self'
  const answer = await ask(gateway, 'GET', path)
  if (answer.status === 403) {
    throw new CommandError(
      exitCodes.refused,
      `the gateway at ${to.address.origin} does not take this token${to.namespace === undefined ? '' : ` in the namespace "${to.namespace}"`}: it has ended, or is of another gateway. Ask for a new one`,
    )
  }
  if (answer.status >= 400) throw refused(gateway, path, answer)
  warn(answer)
  const data = answer.body?.data ?? {}
  const auth = {
    client_token: token,
    accessor: data.accessor,
    policies: data.policies,
    token_policies: data.policies,
    metadata: data.meta ?? null,
    lease_duration: data.ttl,
    renewable: data.renewable,
  }
  return { auth }
}

async function withFields(gateway: Gateway, path: string, given: readonly string[]): Promise<Envelope> {
  if (given.length === 0) throw usageError(spec, 'the fields of the login are missing, as in role_id=… secret_id=@FILE')
  const answer = await ask(gateway, 'PUT', path, { body: await fieldsGiven(spec, given) })
  if (answer.status >= 400) {
    const said = (answer.body?.errors ?? []).join('; ').trim()
    // Without a word about tokens, which nobody has at a login.
    if (answer.status < 429) {
      throw new CommandError(
        exitCodes.refused,
        `the gateway refused the login at ${path} (${answer.status})${said === '' ? '' : `: ${said}`}. Look at the fields, at --path and at --namespace`,
      )
    }
    throw refused(gateway, path, answer)
  }
  warn(answer)
  return { auth: answer.body?.auth ?? null }
}

/** Never repeats what was given, since that may be a token in the wrong place. */
async function tokenGiven(operands: readonly string[]): Promise<string> {
  if (operands.length > 1)
    throw usageError(spec, 'more than one token is given; NAME=VALUE needs --method approle or jwt')
  const [operand] = operands
  const token = (operand === undefined || operand === '-' ? await readToken() : operand).trim()
  if (token === '') throw usageError(spec, 'no token is given: type it, pipe it in, or name it behind "login"')
  if (!sendable(token))
    throw usageError(spec, 'what is given is no token: it has blanks or other characters that no token has')
  return token
}

async function readToken(): Promise<string> {
  if (!process.stdin.isTTY) return await text(process.stdin)
  return (await askHidden('Token (is not shown): ')) ?? ''
}
