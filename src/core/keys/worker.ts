/**
 * A worker thread that makes RSA keys: takes a modulus length in bits, answers `{ box, publicKey }`, a `SealedKey` of rsa-workers.ts.
 *
 * Plaintext never leaves this thread: the PKCS#8 is sealed under the pool's key (AES-256-GCM; nonce, ciphertext and tag in one box;
 * the public key is the additional data, so that a box opens only beside its own) and zeroed before the answer is posted. Anything
 * that goes wrong ends the thread: the pool starts another.
 *
 * Only syntax that is JavaScript too, and no imports: the thread then starts from this text without the TypeScript loader, which takes
 * 18 MB and 20 ms of CPU a thread, and without that of modules, which takes 0.7 MB (measured, Node 26.10). A test runs it both ways.
 */
const { createCipheriv, generateKeyPairSync, randomBytes, sign, verify } = process.getBuiltinModule('node:crypto')
const { setPriority } = process.getBuiltinModule('node:os')
const { parentPort, workerData } = process.getBuiltinModule('node:worker_threads')

/** `poolKey` is one shared piece of memory: no copy per thread, and gone for all once the pool zeroes it. */
const { poolKey, background } = workerData

// On Linux a priority belongs to the calling thread; elsewhere this would slow the whole process down.
if (background && process.platform === 'linux') {
  try {
    setPriority(19)
  } catch {
    // A runtime may refuse it (Deno asks for a permission): keys are then made at normal priority.
  }
}

parentPort?.on('message', (modulusLength) => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength })

  // The pair-wise consistency test of FIPS 140-3. Measured: 0.55 ms beside 39 for 2,048 bits, 2.5 ms beside 400 for 4,096.
  const probe = randomBytes(32)
  if (!verify('sha256', probe, publicKey, sign('sha256', probe, privateKey))) {
    throw new Error('a fresh RSA key failed its pair-wise consistency test')
  }

  const publicKeyPem = publicKey.export({ type: 'spki', format: 'pem' })
  const material = privateKey.export({ type: 'pkcs8', format: 'der' })
  try {
    const nonce = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', poolKey, nonce)
    cipher.setAAD(Buffer.from(publicKeyPem))
    const box = new Uint8Array(12 + material.length + 16)
    box.set(nonce)
    box.set(cipher.update(material), 12)
    cipher.final()
    box.set(cipher.getAuthTag(), 12 + material.length)
    parentPort?.postMessage({ box, publicKey: publicKeyPem }, [box.buffer])
  } finally {
    material.fill(0)
  }
})
