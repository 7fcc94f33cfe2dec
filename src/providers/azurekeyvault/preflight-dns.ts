import { Resolver } from 'node:dns/promises'
import { BlockList, isIPv6 } from 'node:net'
import type { Finding } from '../../core/kms/provider.ts'

export interface DnsOptions {
  /** `ADDRESS` or `ADDRESS:PORT`; the system's when missing. */
  servers?: readonly string[] | undefined
  /** For each question, in ms; default 3,000. */
  timeoutMs?: number | undefined
}

/** What DNS says of a name. */
export interface NameAnswer {
  /** The names that it stands for, in order. */
  chain: string[]
  addresses: string[]
}

const longestChain = 8

/** A name that leads back to itself. */
class NameLoop extends Error {}

/**
 * Asks DNS for a name: aliases one by one, then IPv4 and IPv6 addresses. Rejects with the resolver's error (`ENOTFOUND` for NXDOMAIN,
 * `ETIMEOUT`, `ESERVFAIL`, …). The hosts file is not looked at.
 */
async function askDns(host: string, options: DnsOptions): Promise<NameAnswer> {
  const resolver = new Resolver({ timeout: options.timeoutMs ?? 3_000, tries: 1 })
  if (options.servers) resolver.setServers(options.servers)
  const chain: string[] = []
  for (let name = host; ; ) {
    const [alias] = await orNone(resolver.resolveCname(name))
    if (alias === undefined) break
    name = alias.toLowerCase()
    if (name === host || chain.includes(name) || chain.length >= longestChain) throw new NameLoop()
    chain.push(name)
  }
  const [four, six] = await Promise.allSettled([orNone(resolver.resolve4(host)), orNone(resolver.resolve6(host))])
  const addresses = [four, six].flatMap((one) => (one.status === 'fulfilled' ? one.value : []))
  if (addresses.length === 0 && four.status === 'rejected') throw four.reason
  return { chain, addresses }
}

/** A name without records of the kind that was asked for is none at all of that kind. */
async function orNone(answer: Promise<string[]>): Promise<string[]> {
  return await answer.catch((error: unknown) => {
    if (codeOf(error) === 'ENODATA') return []
    throw error
  })
}

/** Looks at what DNS says of a vault's host. Never rejects. */
export async function checkDns(host: string, options: DnsOptions): Promise<Finding> {
  try {
    return judgeNames(host, await askDns(host, options))
  } catch (error) {
    return troubleOf(host, error)
  }
}

const privateRanges = ranges(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'])
/** Loopback, unspecified, link-local, multicast, and the ranges kept for documents (RFC 6890): no vault is there. */
const impossibleRanges = ranges([
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '192.0.2.0/24',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
  '::/127',
  'fe80::/10',
  'ff00::/8',
  '2001:db8::/32',
])

/**
 * Azure: the public name of a vault with a private endpoint is an alias of `<vault>.privatelink.…`. Inside, a private zone answers
 * that with the endpoint's address; from outside the public one comes back ("Integrate Key Vault with Azure Private Link").
 */
export function judgeNames(host: string, { chain, addresses }: NameAnswer): Finding {
  const link = chain.find((name) => /(^|\.)privatelink\./.test(name))
  const zone = link?.slice(link.indexOf('privatelink.'))
  const within = (list: BlockList) => addresses.filter((address) => contains(list, address))
  const [impossible] = within(impossibleRanges)
  const inside = within(privateRanges)
  const shown = `${host} is ${addresses.join(', ')}${link ? `, by way of ${link}` : ''}`
  if (addresses.length === 0) {
    return {
      level: 'error',
      code: 'dns_no_address',
      message: `DNS knows the name ${host}, but no address for it${link ? `: it is an alias of ${link}, which has none` : ''}`,
      action: zone
        ? `link the private DNS zone ${zone} to this network, and see that it has a record for the private endpoint`
        : 'ask whoever runs the DNS servers of this machine',
    }
  }
  if (impossible !== undefined) {
    return {
      level: 'error',
      code: 'dns_impossible_address',
      message: `DNS says that ${host} is ${impossible}, where no vault can be: a filter answers, or a wrong record`,
      action: 'ask whoever runs the DNS servers of this machine to let the name through',
    }
  }
  if (inside.length > 0 && inside.length < addresses.length) {
    return {
      level: 'warning',
      code: 'dns_mixed_addresses',
      message: `${shown}: private and public addresses at once, so that calls take one way or the other`,
      action: 'leave only the address of the private endpoint in the private DNS zone',
    }
  }
  if (inside.length > 0 && link)
    return { level: 'ok', code: 'dns_private_endpoint', message: `${shown}: its private endpoint` }
  if (inside.length > 0) {
    return {
      level: 'info',
      code: 'dns_private_address',
      message: `${shown}: a private address without the alias of a private endpoint, by a record of this network's own`,
    }
  }
  if (zone) {
    return {
      level: 'warning',
      code: 'dns_private_endpoint_from_outside',
      message: `${shown}: the vault has a private endpoint, but this machine is led to its public address`,
      action:
        `link the private DNS zone ${zone} to the network of this machine, or have its DNS server forward ${zone} to Azure's ` +
        '(168.63.129.16) inside that network. Through the public address the vault answers only where its firewall lets it',
    }
  }
  return { level: 'ok', code: 'dns_public', message: `${shown}: a public address` }
}

function troubleOf(host: string, error: unknown): Finding {
  const code = codeOf(error)
  if (error instanceof NameLoop) {
    return {
      level: 'error',
      code: 'dns_loop',
      message: `DNS leads ${host} from alias to alias without end`,
      action: 'ask whoever runs the DNS servers of this machine',
    }
  }
  if (code === 'ENOTFOUND') {
    return {
      level: 'error',
      code: 'dns_unknown_name',
      message: `DNS does not know the name ${host}`,
      action:
        'check key_collection and environment; for a vault with a private endpoint, see that its private DNS zone has a record for it',
    }
  }
  if (code === 'ETIMEOUT') {
    return {
      level: 'error',
      code: 'dns_timeout',
      message: `DNS did not answer in time for ${host}`,
      action: 'see that this machine reaches its DNS servers (port 53, UDP and TCP)',
    }
  }
  return {
    level: 'error',
    code: 'dns_failed',
    message: `DNS gave no usable answer for ${host} (${code ?? 'unknown'})`,
    action: 'ask whoever runs the DNS servers of this machine',
  }
}

function ranges(list: readonly string[]): BlockList {
  const block = new BlockList()
  for (const range of list) {
    const [network = '', prefix] = range.split('/')
    block.addSubnet(network, Number(prefix), isIPv6(network) ? 'ipv6' : 'ipv4')
  }
  return block
}

function contains(list: BlockList, address: string): boolean {
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
