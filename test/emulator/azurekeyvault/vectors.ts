import { readFileSync } from 'node:fs'

/** A test of Project Wycheproof; the members that a file lacks are absent. */
export interface Vector {
  readonly tcId: number
  readonly comment: string
  readonly flags: readonly string[]
  readonly key: string
  readonly msg: string
  readonly ct: string
  readonly label: string
  readonly result: 'valid' | 'acceptable' | 'invalid'
}

interface VectorFile {
  readonly numberOfTests: number
  readonly testGroups: readonly { readonly privateKeyPkcs8: string; readonly tests: readonly Vector[] }[]
}

export function readVectors(name: string): VectorFile {
  return JSON.parse(readFileSync(new URL(`../../vectors/${name}`, import.meta.url), 'utf8')) as VectorFile
}
