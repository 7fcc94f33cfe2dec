/**
 * The tour that every client takes, in this order. A client's program prints `ok STEP` after each, and says on standard error what went
 * wrong when it ends before the last. Every program looks at what came back; none takes a success for granted.
 *
 * - `login`: its own token is looked up, a wrong one is refused, the gateway says that it is unsealed
 * - `mounts`: an engine is enabled, listed, tuned, read, disabled
 * - `keys`: made, read, listed, changed, rotated; a key that is missing; a type that is not there; deletion that is not allowed
 * - `kms`: made, read without its credentials, listed, its credentials alone renewed
 * - `copies`: a key is brought into the emulator's HSM, read there, listed both ways, rotated there, removed, deleted
 * - `tokens`: made, looked up, renewed, revoked, the same by accessor
 * - `policies`: HCL is written, read, listed; a child token may and may not what it says; deleted
 * - `namespaces`: made, used by header and by path where the client can do both, listed, deleted
 * - `wrapping`: an answer is wrapped, unwrapped once, refused the second time
 * - `approle`: a login with a role id and a secret id, and a wrong one
 * - `system`: an engine is moved to another path with its keys; the audit devices and the mount of a path are asked for
 */
export const steps = [
  'login',
  'mounts',
  'keys',
  'kms',
  'copies',
  'tokens',
  'policies',
  'namespaces',
  'wrapping',
  'approle',
  'system',
] as const
