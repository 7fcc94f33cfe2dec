import { createECDH, type KeyObject, randomBytes } from 'node:crypto'
import { curves } from './key-material.ts'

/**
 * ECDSA over a digest that the caller made, as Key Vault takes it; node:crypto only signs messages. FIPS 186-5, section 6.4, in BigInt:
 * correct but neither fast nor constant in time, which is good enough for the throw-away keys of an emulator and for nothing else.
 */

interface Curve {
  readonly p: bigint
  readonly a: bigint
  readonly n: bigint
  readonly g: { readonly x: bigint; readonly y: bigint }
}

/** A point in Jacobian coordinates, which add without inversions: x / z^2 and y / z^3; z is 0 at infinity. */
interface Point {
  readonly x: bigint
  readonly y: bigint
  readonly z: bigint
}

const infinity: Point = { x: 1n, y: 1n, z: 0n }

/** Domain parameters (SEC 2, version 2); b is not needed to add points. */
const parameters: Readonly<Record<string, Curve>> = {
  'P-256': {
    p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    a: -3n,
    n: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
    g: {
      x: 0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
      y: 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
    },
  },
  'P-384': {
    p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    a: -3n,
    n: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
    g: {
      x: 0xaa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7n,
      y: 0x3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5fn,
    },
  },
  'P-521': {
    p: 2n ** 521n - 1n,
    a: -3n,
    n: 0x1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
    g: {
      x: 0xc6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66n,
      y: 0x11839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650n,
    },
  },
  'P-256K': {
    p: 2n ** 256n - 2n ** 32n - 977n,
    a: 0n,
    n: 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n,
    g: {
      x: 0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798n,
      y: 0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8n,
    },
  },
}

const mod = (value: bigint, modulus: bigint) => ((value % modulus) + modulus) % modulus
const toBigInt = (bytes: Buffer) => BigInt(`0x${bytes.toString('hex') || '0'}`)
const toBytes = (value: bigint, length: number) => Buffer.from(value.toString(16).padStart(2 * length, '0'), 'hex')
const coordinate = (value: string | undefined) => toBigInt(Buffer.from(value ?? '', 'base64url'))

/** The inverse by the extended Euclidean algorithm. */
function invert(value: bigint, modulus: bigint): bigint {
  let [r0, r1] = [modulus, mod(value, modulus)]
  let [t0, t1] = [0n, 1n]
  while (r1 !== 0n) {
    const q = r0 / r1
    ;[r0, r1] = [r1, r0 - q * r1]
    ;[t0, t1] = [t1, t0 - q * t1]
  }
  return mod(t0, modulus)
}

function double({ p, a }: Curve, { x, y, z }: Point): Point {
  const y2 = mod(y * y, p)
  const s = mod(4n * x * y2, p)
  const z2 = mod(z * z, p)
  const m = mod(3n * x * x + a * z2 * z2, p)
  const x3 = mod(m * m - 2n * s, p)
  return { x: x3, y: mod(m * (s - x3) - 8n * y2 * y2, p), z: mod(2n * y * z, p) }
}

function add(curve: Curve, one: Point, two: Point): Point {
  if (one.z === 0n) return two
  if (two.z === 0n) return one
  const { p } = curve
  const [z1, z2] = [mod(one.z * one.z, p), mod(two.z * two.z, p)]
  const u = mod(one.x * z2, p)
  const s = mod(one.y * z2 * two.z, p)
  const h = mod(two.x * z1 - u, p)
  const r = mod(two.y * z1 * one.z - s, p)
  if (h === 0n) return r === 0n ? double(curve, one) : infinity
  const h2 = mod(h * h, p)
  const h3 = mod(h2 * h, p)
  const v = mod(u * h2, p)
  const x = mod(r * r - h3 - 2n * v, p)
  return { x, y: mod(r * (v - x) - s * h3, p), z: mod(h * one.z * two.z, p) }
}

/** u * one + v * two, both at once, bit by bit from the top. */
function multiplyAdd(curve: Curve, u: bigint, one: Point, v: bigint, two: Point): Point {
  const both = add(curve, one, two)
  const [bitsU, bitsV] = [u.toString(2), v.toString(2)]
  const length = Math.max(bitsU.length, bitsV.length)
  const [left, right] = [bitsU.padStart(length, '0'), bitsV.padStart(length, '0')]
  let result = infinity
  for (let i = 0; i < length; i++) {
    result = double(curve, result)
    const pair = `${left[i]}${right[i]}`
    if (pair === '11') result = add(curve, result, both)
    else if (pair === '10') result = add(curve, result, one)
    else if (pair === '01') result = add(curve, result, two)
  }
  return result
}

function find(crv: string): { curve: Curve; openssl: string; bytes: number } {
  const curve = parameters[crv]
  const names = curves[crv]
  if (curve === undefined || names === undefined) throw new RangeError(`There is no curve ${crv}.`)
  return { curve, ...names }
}

/** The leftmost bits of the digest, as many as n has. */
function truncate(curve: Curve, digest: Buffer): bigint {
  const excess = 8 * digest.length - curve.n.toString(2).length
  return excess > 0 ? toBigInt(digest) >> BigInt(excess) : toBigInt(digest)
}

/** @returns r and s, each as long as the curve's field (RFC 7518, section 3.4) */
export function signDigest(crv: string, privateKey: KeyObject, digest: Buffer): Buffer {
  const { curve, openssl, bytes } = find(crv)
  const d = coordinate(privateKey.export({ format: 'jwk' }).d)
  const z = truncate(curve, digest)
  for (;;) {
    // 64 bits more than n, so that the remainder is as good as uniform (FIPS 186-5, appendix A.3.1).
    const k = mod(toBigInt(randomBytes(bytes + 8)), curve.n - 1n) + 1n
    const ecdh = createECDH(openssl)
    ecdh.setPrivateKey(toBytes(k, bytes))
    const r = mod(toBigInt(ecdh.getPublicKey().subarray(1, 1 + bytes)), curve.n)
    const s = mod(invert(k, curve.n) * (z + r * d), curve.n)
    if (r !== 0n && s !== 0n) return Buffer.concat([toBytes(r, bytes), toBytes(s, bytes)])
  }
}

export function verifyDigest(crv: string, publicKey: KeyObject, digest: Buffer, signature: Buffer): boolean {
  const { curve, bytes } = find(crv)
  if (signature.length !== 2 * bytes) return false
  const r = toBigInt(signature.subarray(0, bytes))
  const s = toBigInt(signature.subarray(bytes))
  if (r === 0n || s === 0n || r >= curve.n || s >= curve.n) return false
  const jwk = publicKey.export({ format: 'jwk' })
  const inverse = invert(s, curve.n)
  const u1 = mod(truncate(curve, digest) * inverse, curve.n)
  const u2 = mod(r * inverse, curve.n)
  const q = { x: coordinate(jwk.x), y: coordinate(jwk.y), z: 1n }
  const point = multiplyAdd(curve, u1, { ...curve.g, z: 1n }, u2, q)
  if (point.z === 0n) return false
  const x = mod(point.x * invert(point.z * point.z, curve.p), curve.p)
  return mod(x, curve.n) === r
}
