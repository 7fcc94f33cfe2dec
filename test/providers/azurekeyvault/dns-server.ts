import { createSocket, type Socket } from 'node:dgram'
import type { AddressInfo } from 'node:net'

/** Kinds of records (RFC 1035, section 3.2.2, and RFC 3596). */
const types: Readonly<Record<number, 'A' | 'CNAME' | 'AAAA'>> = { 1: 'A', 5: 'CNAME', 28: 'AAAA' }
const numbers = { A: 1, CNAME: 5, AAAA: 28 } as const

/** What a server knows: name -> where it leads, or its addresses. A name that is missing does not exist (NXDOMAIN). */
export type Zone = Readonly<Record<string, { alias: string } | { addresses: readonly string[] }>>

export interface DnsServer {
  /** `127.0.0.1:PORT` */
  address: string
  /** Questions as they came: `A www.example.com`. */
  asked: string[]
  close(): Promise<void>
}

export interface DnsServerOptions {
  zone?: Zone
  /** Waits this long before it answers, in ms. */
  delayMs?: number
  /** Answers nothing at all. */
  silent?: boolean
  /** Answers with this code and no records: 2 is SERVFAIL, 5 REFUSED. */
  code?: number
  /** Changes an answer before it leaves. */
  forge?: (answer: Buffer) => Buffer
}

/** A name server on UDP that follows aliases within its zone, as a resolver does, and can misbehave. */
export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const socket: Socket = createSocket('udp4')
  const asked: string[] = []
  socket.on('message', (query, from) => {
    const { name, type } = readQuestion(query)
    asked.push(`${types[type] ?? type} ${name}`)
    if (options.silent) return
    const reply = answer(query, name, type, options)
    const forged = options.forge?.(reply) ?? reply
    setTimeout(() => socket.send(forged, from.port, from.address, () => {}), options.delayMs ?? 0)
  })
  await new Promise<void>((bound) => socket.bind(0, '127.0.0.1', bound))
  return {
    address: `127.0.0.1:${(socket.address() as AddressInfo).port}`,
    asked,
    close: () => new Promise((closed) => socket.close(closed)),
  }
}

function readQuestion(query: Buffer): { name: string; type: number } {
  const labels: string[] = []
  let at = 12
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1) }
}

/** The whole chain of aliases with the records at its end, for an A or AAAA question; the alias alone for a CNAME question. */
function answer(query: Buffer, asked: string, type: number, { zone = {}, code }: DnsServerOptions): Buffer {
  const records: Buffer[] = []
  let name = asked
  let entry = zone[name]
  for (let steps = 0; entry && 'alias' in entry && steps < 20; steps++) {
    records.push(record(name, 'CNAME', encodeName(entry.alias)))
    if (type === numbers.CNAME) break
    name = entry.alias
    entry = zone[name]
  }
  if (entry && 'addresses' in entry) {
    for (const address of entry.addresses) {
      const kind = address.includes(':') ? 'AAAA' : 'A'
      if (numbers[kind] === type) records.push(record(name, kind, encodeAddress(address)))
    }
  }
  const header = Buffer.alloc(12)
  query.copy(header, 0, 0, 2)
  // A response to a question that wanted recursion, which is available.
  header.writeUInt16BE(0x8180 | (code ?? (entry ? 0 : 3)), 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(code === undefined ? records.length : 0, 6)
  const question = Buffer.alloc(4)
  question.writeUInt16BE(type, 0)
  question.writeUInt16BE(1, 2)
  return Buffer.concat([header, encodeName(asked), question, ...(code === undefined ? records : [])])
}

function record(name: string, kind: keyof typeof numbers, data: Buffer): Buffer {
  const head = Buffer.alloc(10)
  head.writeUInt16BE(numbers[kind], 0)
  head.writeUInt16BE(1, 2)
  head.writeUInt32BE(60, 4)
  head.writeUInt16BE(data.length, 8)
  return Buffer.concat([encodeName(name), head, data])
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]))
  return Buffer.concat([...labels, Buffer.from([0])])
}

/** IPv6 addresses in full, without `::`. */
function encodeAddress(address: string): Buffer {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number))
  return Buffer.concat(address.split(':').map((part) => Buffer.from(part.padStart(4, '0'), 'hex')))
}
