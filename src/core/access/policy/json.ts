import { printable } from '../../keys/types.ts'
import { deepest, type Entry, type ObjectValue, type Source, tooDeep, type Value } from './source.ts'

const blank = /[ \t\r\n]*/y
const string = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const word = /[a-z]+/y

/**
 * Reads a policy in JSON (RFC 8259). `JSON.parse` would not do: it keeps the last of two equal keys, so that a `deny` could get lost, and
 * it does not say where things are. Throws `invalid` with line and column.
 */
export function parseJson(source: Source): ObjectValue {
  return new JsonParser(source).parse()
}

class JsonParser {
  readonly #source: Source
  #at = 0

  constructor(source: Source) {
    this.#source = source
    if (source.text.startsWith('\uFEFF')) this.#at = 1
  }

  parse(): ObjectValue {
    const value = this.#value(1)
    this.#take(blank)
    if (this.#at < this.#source.text.length) throw this.#unexpected('the end of the policy')
    if (value.kind !== 'object') throw this.#source.fault(value.at, 'a policy in JSON is an object')
    return value
  }

  #value(depth: number): Value {
    this.#take(blank)
    const at = this.#at
    if (depth > deepest) throw tooDeep(this.#source, at)
    const char = this.#source.text[at]
    if (char === '{') return { kind: 'object', entries: this.#between('}', () => this.#entry(depth)), at }
    if (char === '[') return { kind: 'list', items: this.#between(']', () => this.#value(depth + 1)), at }
    if (char === '"') return { kind: 'string', value: this.#string(), at }
    const digits = this.#take(number)
    if (digits !== undefined) {
      if (!Number.isFinite(Number(digits))) throw this.#source.fault(at, 'the number is too large')
      return { kind: 'number', value: Number(digits), at }
    }
    const literal = this.#take(word)
    if (literal === 'true' || literal === 'false') return { kind: 'boolean', value: literal === 'true', at }
    if (literal === 'null') throw this.#source.fault(at, 'null says nothing in a policy: leave the field out')
    this.#at = at
    throw this.#unexpected('a JSON value')
  }

  #entry(depth: number): Entry {
    const at = this.#at
    if (this.#source.text[at] !== '"') throw this.#unexpected('a name in double quotes')
    const key = this.#string()
    this.#take(blank)
    if (this.#source.text[this.#at] !== ':') throw this.#unexpected('":"')
    this.#at += 1
    return { key, at, value: this.#value(depth + 1) }
  }

  /** Items with commas between them, from the opening bracket to the closing one. */
  #between<T>(closing: '}' | ']', item: () => T): T[] {
    const { text } = this.#source
    const items: T[] = []
    this.#at += 1
    this.#take(blank)
    if (text[this.#at] !== closing) {
      for (;;) {
        items.push(item())
        this.#take(blank)
        if (text[this.#at] === closing) break
        if (text[this.#at] !== ',') throw this.#unexpected(`"," or "${closing}"`)
        this.#at += 1
        this.#take(blank)
      }
    }
    this.#at += 1
    return items
  }

  #string(): string {
    const at = this.#at
    const quoted = this.#take(string)
    if (quoted === undefined) throw this.#source.fault(at, 'the string that begins here is not a JSON string')
    return JSON.parse(quoted) as string
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#source.text)?.[0]
    if (found !== undefined) this.#at = pattern.lastIndex
    return found
  }

  #unexpected(wanted: string) {
    const point = this.#source.text.codePointAt(this.#at)
    const found = point === undefined ? 'the end of the policy' : `"${printable(String.fromCodePoint(point))}"`
    return this.#source.fault(this.#at, `${found} where ${wanted} is expected`)
  }
}
