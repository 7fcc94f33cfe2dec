import { invalid, type KeyferryError } from '../../errors.ts'

/** The text of a policy, which knows where in it something is. Places are offsets, turned into line and column only for an error. */
export class Source {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  /** `invalid`, with line and column (both from 1) of the character at `at` before the message. */
  fault(at: number, message: string): KeyferryError {
    const before = this.text.slice(0, at)
    const lineStart = before.lastIndexOf('\n') + 1
    const line = before.split('\n').length
    return invalid(`line ${line}, column ${at - lineStart + 1}: ${message}`)
  }
}

/** What HCL and JSON both come down to. `at` is where a value begins. */
export type Value =
  | { kind: 'string'; value: string; at: number }
  | { kind: 'number'; value: number; at: number }
  | { kind: 'boolean'; value: boolean; at: number }
  | { kind: 'list'; items: readonly Value[]; at: number }
  | ObjectValue

export interface ObjectValue {
  kind: 'object'
  /** In order, repeated keys and all: HCL says `path` once for each path. */
  entries: readonly Entry[]
  at: number
}

export interface Entry {
  key: string
  at: number
  value: Value
}

/** More levels than any policy needs; so that a hostile one cannot exhaust the stack. */
export const deepest = 16

export function tooDeep(source: Source, at: number): KeyferryError {
  return source.fault(at, `nested too deeply: allowed are ${deepest} levels`)
}
