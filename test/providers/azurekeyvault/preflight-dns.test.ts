import { afterEach, describe, expect, it } from 'vitest'
import { checkDns } from '../../../src/providers/azurekeyvault/preflight-dns.ts'
import { type DnsServer, type DnsServerOptions, startDnsServer, type Zone } from './dns-server.ts'

const host = 'prod-keys.vault.azure.net'
const link = 'prod-keys.privatelink.vaultcore.azure.net'
const front = 'data-prod-weu.vaultcore.azure.net'

let servers: DnsServer[] = []
afterEach(async () => {
  for (const server of servers) await server.close()
  servers = []
})

/** The genuine resolver, with a server of ours as the only one. */
async function ask(options: DnsServerOptions, timeoutMs = 5_000) {
  const server = await startDnsServer(options)
  servers.push(server)
  return { finding: await checkDns(host, { servers: [server.address], timeoutMs }), server }
}

describe('what DNS says of a vault', () => {
  it('a public address', async () => {
    const { finding, server } = await ask({ zone: { [host]: { alias: front }, [front]: { addresses: ['20.61.1.7'] } } })
    expect(finding).toEqual({
      level: 'ok',
      code: 'dns_public',
      message: 'prod-keys.vault.azure.net is 20.61.1.7: a public address',
    })
    expect(server.asked).toEqual(
      expect.arrayContaining([`CNAME ${host}`, `CNAME ${front}`, `A ${host}`, `AAAA ${host}`]),
    )
  })

  it('the private address of its private endpoint, by the alias that Azure gives it', async () => {
    const { finding } = await ask({ zone: { [host]: { alias: link }, [link]: { addresses: ['10.1.2.3'] } } })
    expect(finding).toEqual({
      level: 'ok',
      code: 'dns_private_endpoint',
      message: `${host} is 10.1.2.3, by way of ${link}: its private endpoint`,
    })
  })

  it('a public address although it has a private endpoint: what to mend is named', async () => {
    const zone: Zone = { [host]: { alias: link }, [link]: { alias: front }, [front]: { addresses: ['20.61.1.7'] } }
    const { finding } = await ask({ zone })
    expect(finding).toEqual({
      level: 'warning',
      code: 'dns_private_endpoint_from_outside',
      message: `${host} is 20.61.1.7, by way of ${link}: the vault has a private endpoint, but this machine is led to its public address`,
      action: expect.stringContaining(
        'link the private DNS zone privatelink.vaultcore.azure.net to the network of this machine, or have its DNS server forward',
      ),
    })
  })

  it.each([
    ['a private address without the alias', { [host]: { addresses: ['192.168.7.7'] } }, 'info', 'dns_private_address'],
    [
      'an IPv6 address of a private endpoint',
      { [host]: { alias: link }, [link]: { addresses: ['fd00:0:0:0:0:0:0:5'] } },
      'ok',
      'dns_private_endpoint',
    ],
    ['a public IPv6 address', { [host]: { addresses: ['2603:1020:0:0:0:0:0:5'] } }, 'ok', 'dns_public'],
    [
      'a private and a public address at once',
      { [host]: { alias: link }, [link]: { addresses: ['10.1.2.3', '20.61.1.7'] } },
      'warning',
      'dns_mixed_addresses',
    ],
    ['an alias of nothing', { [host]: { alias: link }, [link]: { addresses: [] } }, 'error', 'dns_no_address'],
    ['a name without addresses', { [host]: { addresses: [] } }, 'error', 'dns_no_address'],
  ] satisfies [string, Zone, string, string][])('%s', async (_what, zone, level, code) => {
    expect((await ask({ zone })).finding).toMatchObject({ level, code })
  })

  it('NXDOMAIN, also of the name that it is an alias of', async () => {
    for (const zone of [{}, { [host]: { alias: link } }] satisfies Zone[]) {
      const { finding } = await ask({ zone })
      expect(finding).toMatchObject({
        level: 'error',
        code: 'dns_unknown_name',
        message: `DNS does not know the name ${host}`,
      })
      expect(finding.action).toContain('check key_collection and environment')
    }
  })
})

describe('a server that is no help', () => {
  it('is slow, and is waited for', async () => {
    const { finding } = await ask({ zone: { [host]: { addresses: ['20.61.1.7'] } }, delayMs: 100 })
    expect(finding).toMatchObject({ level: 'ok', code: 'dns_public' })
  })

  it.each<[string, DnsServerOptions, string]>([
    ['is silent', { silent: true }, 'dns_timeout'],
    ['is slower than it may be', { zone: { [host]: { addresses: ['20.61.1.7'] } }, delayMs: 5_000 }, 'dns_timeout'],
    ['has trouble of its own', { code: 2 }, 'dns_failed'],
    ['refuses', { code: 5 }, 'dns_failed'],
  ])('%s', async (_what, options, code) => {
    const { finding } = await ask(options, 300)
    expect(finding).toMatchObject({ level: 'error', code, action: expect.any(String) })
  })

  it('is not there', async () => {
    expect(await checkDns(host, { servers: ['127.0.0.1:1'], timeoutMs: 300 })).toMatchObject({ level: 'error' })
  })
})

describe('a server that lies', () => {
  it.each([
    '127.0.0.1',
    '0.0.0.0',
    '169.254.1.1',
    '192.0.2.9',
    '255.255.255.255',
    '0:0:0:0:0:0:0:1',
    'fe80:0:0:0:0:0:0:1',
  ])('with the address %s, where no vault can be', async (address) => {
    const { finding } = await ask({ zone: { [host]: { alias: link }, [link]: { addresses: [address, '10.1.2.3'] } } })
    expect(finding).toMatchObject({ level: 'error', code: 'dns_impossible_address' })
  })

  it.each<[string, Zone]>([
    ['itself', { [host]: { alias: host } }],
    ['two names', { [host]: { alias: 'a.example' }, 'a.example': { alias: host } }],
    [
      'others',
      { [host]: { alias: 'a.example' }, 'a.example': { alias: 'b.example' }, 'b.example': { alias: 'a.example' } },
    ],
    [
      'ever more names',
      Object.fromEntries(
        Array.from({ length: 12 }, (_, n) => [n === 0 ? host : `n${n}.example`, { alias: `n${n + 1}.example` }]),
      ),
    ],
  ])('with aliases in a circle: %s', async (_what, zone) => {
    expect((await ask({ zone })).finding).toMatchObject({ level: 'error', code: 'dns_loop' })
  })

  it.each<[string, (answer: Buffer) => Buffer]>([
    ['bytes that are no answer', () => Buffer.from('not dns at all')],
    ['an answer that breaks off', (answer) => answer.subarray(0, answer.length - 7)],
    [
      'an answer to another question',
      (answer) => Buffer.from(answer.toString('latin1').replaceAll('prod', 'test'), 'latin1'),
    ],
    ['an answer with another id', (answer) => Buffer.concat([Buffer.from([(answer[0] ?? 0) ^ 1]), answer.subarray(1)])],
    [
      'more records than it sends',
      (answer) => Buffer.concat([answer.subarray(0, 6), Buffer.from([0, 99]), answer.subarray(8)]),
    ],
  ])('with %s: it is not believed', async (_what, forge) => {
    const { finding } = await ask({ zone: { [host]: { addresses: ['20.61.1.7'] } }, forge }, 300)
    expect(finding).toMatchObject({ level: 'error' })
    expect(finding.message).not.toContain('20.61.1.7')
  })
})
