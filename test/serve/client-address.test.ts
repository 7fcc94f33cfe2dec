import { isIP } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inCidrs } from '../../src/core/access/cidrs.ts'
import { clientAddressBehind } from '../../src/serve/client-address.ts'

const proxies = ['10.0.0.0/8', '192.0.2.7', '2001:db8::/32']
const client = clientAddressBehind(proxies)

describe('the address of the client', () => {
  it.each([
    ['nobody is trusted', '203.0.113.9', '1.1.1.1', '203.0.113.9'],
    ['a stranger forwards', '203.0.113.9', '1.1.1.1, 10.0.0.1', '203.0.113.9'],
    ['there is no header', '10.0.0.1', undefined, '10.0.0.1'],
    ['one proxy', '10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['what the client wrote itself', '10.0.0.1', '127.0.0.1, 203.0.113.9', '203.0.113.9'],
    ['nonsense that the client wrote', '10.0.0.1', 'unknown, , ";drop, 203.0.113.9', '203.0.113.9'],
    ['a chain of proxies', '192.0.2.7', '203.0.113.9, 10.1.1.1, 10.2.2.2', '203.0.113.9'],
    ['a proxy that is not trusted in the chain', '10.0.0.1', '203.0.113.9, 192.0.2.8, 10.2.2.2', '192.0.2.8'],
    ['all are trusted', '10.0.0.1', '10.3.3.3,10.2.2.2', '10.3.3.3'],
    ['IPv6', '2001:db8::1', '2001:db9::1, 2001:db8:1::2', '2001:db9::1'],
    ['IPv4 on a socket for both', '::ffff:10.0.0.1', '::ffff:203.0.113.9', '203.0.113.9'],
    ['IPv4 in the digits of IPv6', '10.0.0.1', '203.0.113.9, ::ffff:a01:101', '203.0.113.9'],
    ['ports', '10.0.0.1', '203.0.113.9:1234, [2001:db8::9]:80, 10.0.0.4:1', '203.0.113.9'],
    ['brackets', '10.0.0.1', '[2001:db9::9]', '2001:db9::9'],
    ['an interface behind the peer', '2001:db8::1%eth0', '203.0.113.9', '203.0.113.9'],
    ['blanks', '10.0.0.1', '  203.0.113.9\t,  10.0.0.2 ', '203.0.113.9'],
  ])('where %s', (_, peer, header, wanted) => {
    expect(client(peer, header)).toBe(wanted)
  })

  it.each([
    '',
    ',',
    '203.0.113.9,',
    '203.0.113.9, unknown',
    '203.0.113.9, _hidden, 10.0.0.2',
    'proxy.example.com',
    '203.0.113.9 10.0.0.1',
    '203.0.113.09',
    '203.0.113',
    '203.0.113.9:port',
    '203.0.113.9:123456',
    '2001:db9::1%eth0',
    '[2001:db9::1',
    '[203.0.113.9]',
    '[]',
    'for=203.0.113.9',
    '"203.0.113.9"',
    '10.0.0.0/8',
    '::ffff:203.0.113.999',
  ])('is that of the proxy where it writes %j', (header) => {
    expect(client('10.0.0.1', header)).toBe('10.0.0.1')
  })

  it('is unknown where the peer is', () => {
    expect(client(undefined, '203.0.113.9')).toBeUndefined()
  })

  it('is always the peer where nobody is trusted', () => {
    const alone = clientAddressBehind([])
    for (const header of ['203.0.113.9', '10.0.0.1', 'x']) expect(alone('10.0.0.1', header)).toBe('10.0.0.1')
  })
})

const address = fc.oneof(
  fc.ipV4(),
  fc.ipV6().filter((text) => isIP(text) === 6 && !text.includes('.')),
  fc.constantFrom('10.0.0.1', '10.255.0.9', '192.0.2.7', '2001:db8::5'),
)
const entry = fc.oneof({ weight: 6, arbitrary: address }, { weight: 1, arbitrary: fc.string({ maxLength: 12 }) })
const isTrusted = (one: string) => isIP(one) !== 0 && inCidrs(proxies, one)

describe('whatever is in the header', () => {
  it('an untrusted peer is the client', () => {
    fc.assert(
      fc.property(address, fc.array(entry), (peer, entries) => {
        fc.pre(!isTrusted(peer))
        expect(client(peer, entries.join(', '))).toBe(peer)
      }),
    )
  })

  it('the client is the right-most that is not trusted, and what is left of it does not matter', () => {
    fc.assert(
      fc.property(
        fc.array(entry),
        address.filter((one) => !isTrusted(one)),
        fc.array(address.filter(isTrusted), { maxLength: 4 }),
        (left, real, right) => {
          const header = [...left, real, ...right].join(', ')
          expect(client('10.0.0.1', header)).toBe(real.replace(/^::ffff:(?=\d+\.)/i, ''))
        },
      ),
    )
  })

  it('it is an address of the header or the peer, and never one right of which stands somebody else', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 6 }), (entries) => {
        const found = client('10.0.0.1', entries.join(','))
        const said = entries
          .join(',')
          .split(',')
          .map((one) => one.trim())
        const plain = (one: string) => one.replace(/^::ffff:(?=\d+\.)/i, '')
        const at = said.findLastIndex((one) => plain(one) === found || one.startsWith(`${found}:`))
        if (at === -1 || found === '10.0.0.1') expect(found).toBe('10.0.0.1')
        else expect(said.slice(at + 1).every(isTrusted)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})
