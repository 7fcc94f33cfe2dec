import { readFileSync } from 'node:fs'
import { CommandError, exitCodes, systemReason } from '../config/exit-codes.ts'
import { storedToken } from './token-file.ts'

/** A gateway to talk to, and as whom. */
export interface Gateway {
  /** Of http or https, without a path. */
  address: URL
  token: string | undefined
  namespace: string | undefined
  /** Certificates (PEM) to trust in place of the system's. */
  ca: string | undefined
  /** False: any certificate will do. */
  verify: boolean
}

/** The flags that win over the variables. Names are those of Vault's command line. */
export const gatewayOptions = {
  address: {
    type: 'string',
    value: 'URL',
    help: 'where the gateway is (VAULT_ADDR); http://127.0.0.1:8200 unless told',
  },
  namespace: { type: 'string', value: 'PATH', help: 'the namespace to work in (VAULT_NAMESPACE)' },
  'ca-cert': { type: 'string', value: 'FILE', help: 'PEM file of the CA to trust (VAULT_CACERT)' },
  'tls-skip-verify': { type: 'boolean', help: 'trust any certificate (VAULT_SKIP_VERIFY): only to try things on' },
} as const

const defaultAddress = 'http://127.0.0.1:8200'

/**
 * Where the gateway is and as whom to ask, from flags before variables; the token from VAULT_TOKEN, else from `~/.vault-token`. Throws a
 * `CommandError` (78) that names the flag or variable that is not right, and never repeats a token.
 */
export function gatewayOf(
  flags: { [Name in keyof typeof gatewayOptions]?: string | boolean },
  environment: Readonly<Record<string, string | undefined>>,
): Gateway {
  const { address, name } = addressOf(flags.address, environment.VAULT_ADDR)
  if (address?.protocol !== 'http:' && address?.protocol !== 'https:') {
    throw wrong(`${name} is not allowed: it must be an http or https URL, as in ${defaultAddress}`)
  }
  const { pathname, search, hash, username, password } = address
  if (pathname !== '/' || `${search}${hash}${username}${password}` !== '') {
    throw wrong(`${name} is not allowed: it must be scheme, host and port alone, as in ${defaultAddress}`)
  }
  const namespace = string(flags.namespace) ?? given(environment.VAULT_NAMESPACE)
  if (namespace !== undefined && !/^[\x20-\x7e]+$/.test(namespace)) {
    throw wrong('the namespace (--namespace, VAULT_NAMESPACE) has characters that no namespace has')
  }
  const caFile = string(flags['ca-cert']) ?? given(environment.VAULT_CACERT)
  return {
    address,
    token: tokenOf(environment),
    namespace,
    ca: caFile === undefined ? undefined : readCa(caFile),
    verify: flags['tls-skip-verify'] !== true && !truthy(environment.VAULT_SKIP_VERIFY),
  }
}

function addressOf(
  flag: string | boolean | undefined,
  variable: string | undefined,
): { address: URL | null; name: string } {
  const text = string(flag) ?? given(variable) ?? defaultAddress
  // What stands before the host may be a name and a password.
  const shown = text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, '$1(hidden)@')
  return { address: URL.parse(text), name: `${flag === undefined ? 'VAULT_ADDR' : '--address'} "${shown}"` }
}

function tokenOf(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const ofVariable = given(environment.VAULT_TOKEN?.trim())
  const token = ofVariable ?? storedToken(environment.HOME)
  if (token === undefined || sendable(token)) return token
  const where = ofVariable === undefined ? 'the token in ~/.vault-token' : 'VAULT_TOKEN'
  throw wrong(`${where} has characters that no token has: set it anew, or run "keyferry login"`)
}

/** Whether a text can be a token: visible ASCII, as a header takes it. */
export function sendable(token: string): boolean {
  return /^[\x21-\x7e]+$/.test(token)
}

/** As Go's strconv.ParseBool, which Vault's command line reads it with. */
function truthy(text: string | undefined): boolean {
  const value = given(text)
  if (value === undefined || ['0', 'f', 'F', 'false', 'False', 'FALSE'].includes(value)) return false
  if (['1', 't', 'T', 'true', 'True', 'TRUE'].includes(value)) return true
  throw wrong(`VAULT_SKIP_VERIFY "${value}" is not allowed: true and false are`)
}

function readCa(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw wrong(`the CA file ${file} (--ca-cert, VAULT_CACERT) cannot be read: ${systemReason(error)}`)
  }
}

const string = (value: string | boolean | undefined) => (typeof value === 'string' ? value : undefined)
const given = (text: string | undefined) => (text === '' ? undefined : text)
const wrong = (message: string) => new CommandError(exitCodes.config, message)
