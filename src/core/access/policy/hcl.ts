import { printable } from '../../keys/types.ts'
import { HclScanner, type Token } from './hcl-scanner.ts'
import { deepest, type Entry, type ObjectValue, type Source, tooDeep, type Value } from './source.ts'

/**
 * Reads HCL (version 1, as the Vault command line sends it): `key = value`, and blocks, `path "x" { … }`, which give the same value as
 * JSON's `{"path": {"x": {…}}}`. Items of an object may have commas between them; a list may end in one. Throws `invalid` with line
 * and column.
 */
export function parseHcl(source: Source): ObjectValue {
  return new HclParser(source).parse()
}

class HclParser {
  readonly #source: Source
  readonly #scanner: HclScanner
  #token: Token

  constructor(source: Source) {
    this.#source = source
    this.#scanner = new HclScanner(source)
    this.#token = this.#scanner.next()
  }

  parse(): ObjectValue {
    return { kind: 'object', entries: this.#entries('end', 1), at: 0 }
  }

  #advance(): void {
    this.#token = this.#scanner.next()
  }

  #is(kind: Token['kind']): boolean {
    return this.#token.kind === kind
  }

  /** Entries up to the closing token, which stays. */
  #entries(closing: '}' | 'end', depth: number): Entry[] {
    const entries: Entry[] = []
    while (!this.#is(closing)) {
      entries.push(this.#entry(depth))
      if (this.#is(',')) this.#advance()
    }
    return entries
  }

  #entry(depth: number): Entry {
    const token = this.#token
    if (token.kind !== 'name' && token.kind !== 'string') throw this.#unexpected('a name')
    this.#advance()
    return { key: token.value, at: token.at, value: this.#afterKey(depth) }
  }

  /** What follows a key: `= value`, a block, or one more label of a block. */
  #afterKey(depth: number): Value {
    const token = this.#token
    if (token.kind === '=') {
      this.#advance()
      return this.#value(depth + 1)
    }
    if (token.kind === '{') return this.#object(depth + 1)
    if (token.kind !== 'string' && token.kind !== 'name') throw this.#unexpected('"=" or "{"')
    if (depth >= deepest) throw tooDeep(this.#source, token.at)
    this.#advance()
    if (this.#is('=')) throw this.#unexpected('"{"')
    const value = this.#afterKey(depth + 1)
    return { kind: 'object', entries: [{ key: token.value, at: token.at, value }], at: token.at }
  }

  #value(depth: number): Value {
    const token = this.#token
    if (token.kind === '{') return this.#object(depth)
    if (token.kind === '[') return this.#list(depth)
    if (token.kind === 'string' || token.kind === 'number') {
      this.#advance()
      return token
    }
    if (token.kind === 'name' && (token.value === 'true' || token.value === 'false')) {
      this.#advance()
      return { kind: 'boolean', value: token.value === 'true', at: token.at }
    }
    throw this.#unexpected('a value (text in double quotes, a number, true, false, a list or an object)')
  }

  #object(depth: number): ObjectValue {
    const { at } = this.#token
    if (depth > deepest) throw tooDeep(this.#source, at)
    this.#advance()
    const entries = this.#entries('}', depth)
    this.#advance()
    return { kind: 'object', entries, at }
  }

  #list(depth: number): Value {
    const { at } = this.#token
    if (depth > deepest) throw tooDeep(this.#source, at)
    this.#advance()
    const items: Value[] = []
    while (!this.#is(']')) {
      items.push(this.#value(depth + 1))
      if (this.#is(',')) this.#advance()
      else if (!this.#is(']')) throw this.#unexpected('"," or "]"')
    }
    this.#advance()
    return { kind: 'list', items, at }
  }

  #unexpected(wanted: string) {
    const token = this.#token
    const found =
      token.kind === 'end'
        ? 'the end of the policy'
        : token.kind === 'name' || token.kind === 'string' || token.kind === 'number'
          ? `"${printable(String(token.value))}"`
          : `"${token.kind}"`
    return this.#source.fault(token.at, `${found} where ${wanted} is expected`)
  }
}
