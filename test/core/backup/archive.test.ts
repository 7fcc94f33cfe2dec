import { generateKeyPairSync, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ArchiveHeader, openArchive, sealArchive } from '../../../src/core/backup/archive.ts'
import { newSecret, parseIdentity, parseRecipient, secretOf } from '../../../src/core/backup/secrets.ts'
import { newRootKey } from '../../../src/core/seal/root-key.ts'

const secret = randomBytes(32)
const header: ArchiveHeader = {
  madeAt: 1,
  instanceId: 'i',
  rootId: 'r',
  schema: 2,
  version: '1.2.3',
  sealedFor: { method: 'root-key', salt: randomBytes(32).toString('base64') },
}

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function gather(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const piece of source) all.push(piece)
  return Buffer.concat(all)
}

const sealed = (content: Buffer, size = 1_000) => gather(sealArchive(header, secret, pieces(content, size)))
async function opened(archive: Buffer, size = 1_000, key = secret): Promise<Buffer> {
  const { content } = await openArchive(pieces(archive, size), () => Buffer.from(key))
  return await gather(content)
}
const corrupt = { code: 'corrupt' }
const chunk = 65_536 + 16

describe('a backup file', () => {
  it('gives back what was put in, whatever its size and however it is cut', async () => {
    for (const size of [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000]) {
      const content = randomBytes(size)
      const archive = await sealed(content, 777)
      const { header: read, content: back } = await openArchive(pieces(archive, 1_234), () => Buffer.from(secret))
      expect(read).toEqual(header)
      expect((await gather(back)).equals(content)).toBe(true)
    }
  })

  it('opens with no byte changed, taken away or added', async () => {
    const content = randomBytes(70_000)
    const archive = await sealed(content)
    await fc.assert(
      fc.asyncProperty(fc.nat(archive.length - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        const bad = Buffer.from(archive)
        bad[at] = (bad[at] ?? 0) ^ mask
        await expect(opened(bad)).rejects.toMatchObject(corrupt)
      }),
      { numRuns: 150 },
    )
    for (let at = 0; at < 400; at++) {
      const bad = Buffer.from(archive)
      bad[at] = (bad[at] ?? 0) ^ 1
      await expect(opened(bad), `byte ${at}`).rejects.toMatchObject(corrupt)
    }
    for (const length of [0, 1, 22, 100, archive.length - 1, archive.length - 17, archive.length - 4_480])
      await expect(opened(archive.subarray(0, length))).rejects.toMatchObject(corrupt)
    await expect(opened(Buffer.concat([archive, Buffer.from([0])]))).rejects.toMatchObject(corrupt)
  })

  it('has its chunks in order and all of them: cut at the end of one, swapped, or repeated, it does not open', async () => {
    const archive = await sealed(randomBytes(3 * 65_536))
    const head = archive.length - 3 * chunk
    const one = (number: number) => archive.subarray(head + number * chunk, head + (number + 1) * chunk)
    const orders = [[0, 1], [0], [], [1, 0, 2], [0, 0, 1, 2], [0, 2]]
    for (const order of orders) {
      const bad = Buffer.concat([archive.subarray(0, head), ...order.map(one)])
      await expect(opened(bad), order.join()).rejects.toMatchObject(corrupt)
    }
    expect(await opened(archive)).toHaveLength(3 * 65_536)
  })

  it('does not open with another key, nor is anything else one', async () => {
    const archive = await sealed(randomBytes(10))
    await expect(opened(archive, 10, randomBytes(32))).rejects.toThrow(
      'it was changed or cut off, or is not sealed for this key',
    )
    for (const text of ['', 'SQLite format 3\0', 'keyferry backup 2\n....', 'keyferry backup 1\n\0\0\0\x02{}'])
      await expect(opened(Buffer.from(text))).rejects.toThrow('it is not a backup of keyferry')
  })

  it('is another one each time', async () => {
    const content = Buffer.alloc(1_000)
    const [one, two] = [newSecret({ id: 'r', key: secret }), newSecret({ id: 'r', key: secret })]
    const first = await gather(sealArchive({ ...header, sealedFor: one.sealedFor }, one.secret, pieces(content, 10)))
    const second = await gather(sealArchive({ ...header, sealedFor: two.sealedFor }, two.secret, pieces(content, 10)))
    expect(first.subarray(-500).equals(second.subarray(-500))).toBe(false)
  })
})

describe('whom a backup is for', () => {
  const pair = generateKeyPairSync('x25519')
  const publicPem = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const privatePem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

  it('whoever holds the root key that it names', () => {
    const [root, other] = [newRootKey(), newRootKey()]
    const made = newSecret(root)
    const read = { ...header, rootId: root.id, sealedFor: made.sealedFor }
    expect(secretOf(read, [other, root], undefined)).toEqual(made.secret)
    expect(() => secretOf(read, [other], undefined)).toThrow(
      `it is sealed under root key ${root.id}, and the one that is configured is ${other.id}`,
    )
  })

  it('the owner of an X25519 key, and nobody else', () => {
    const made = newSecret(parseRecipient(publicPem, 'x'))
    const read = { ...header, sealedFor: made.sealedFor }
    expect(secretOf(read, [], parseIdentity(privatePem, 'x'))).toEqual(made.secret)
    expect(() => secretOf(read, [], undefined)).toThrow(/^it is sealed for the X25519 key \S+: give its private half/)
    const other = generateKeyPairSync('x25519').privateKey
    expect(() => secretOf(read, [], other)).toThrow(/^it is sealed for the X25519 key \S+, and the identity is \S+$/)
  })

  it('takes no other keys, and repeats none', () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const wrong = [
      ['', 'x holds no X25519 public key in PEM'],
      ['hunter2', 'x holds no X25519 public key in PEM'],
      [ec.publicKey.export({ type: 'spki', format: 'pem' }).toString(), 'x holds no X25519 public key in PEM'],
      [privatePem, 'x holds a private key: a recipient is the public half alone'],
    ] as const
    for (const [pem, message] of wrong) expect(() => parseRecipient(pem, 'x')).toThrow(message)
    for (const pem of ['', 'hunter2', publicPem, ec.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()])
      expect(() => parseIdentity(pem, 'x')).toThrow('x holds no X25519 private key in PEM')
  })
})
