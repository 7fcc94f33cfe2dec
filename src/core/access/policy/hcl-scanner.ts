import { printable } from '../../keys/types.ts'
import type { Source } from './source.ts'

export type Token =
  | { kind: 'name'; value: string; at: number }
  | { kind: 'string'; value: string; at: number }
  | { kind: 'number'; value: number; at: number }
  | { kind: '{' | '}' | '[' | ']' | ',' | '=' | 'end'; at: number }

const blank = /[ \t\r\n]+/y
const lineComment = /(?:#|\/\/)[^\n]*/y
const name = /[\p{L}_][\p{L}\p{N}_.-]*/uy
/** Without zeros in front: HCL takes 010 for octal, JSON for an error. */
const number = /-?(?:0[xX][0-9a-fA-F]+|(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\p{L}\p{N}_.])/uy
const plain = /[^"\\\n]+/y
const code = /u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})/y
const heredoc = /<<(-?)([\p{L}\p{N}_]+)\r?\n/uy
const escapes: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', n: '\n', r: '\r', t: '\t' }
const marks = new Set<string>(['{', '}', '[', ']', ',', '='])

/** Cuts the HCL (version 1) that Vault's policies are written in into tokens. Comments are `#`, `//` and `/* *\/`. */
export class HclScanner {
  readonly #source: Source
  #at: number

  constructor(source: Source) {
    this.#source = source
    this.#at = source.text.startsWith('\uFEFF') ? 1 : 0
  }

  /** The next token; `end` for ever at the end. Throws `invalid` with line and column. */
  next(): Token {
    this.#skip()
    const { text } = this.#source
    const at = this.#at
    const char = text[at]
    if (char === undefined) return { kind: 'end', at }
    if (isMark(char)) {
      this.#at += 1
      return { kind: char, at }
    }
    if (char === '"') return { kind: 'string', value: this.#string(), at }
    if (char === '<') return { kind: 'string', value: this.#heredoc(), at }
    const word = this.#take(name)
    if (word) return { kind: 'name', value: word[0], at }
    const digits = this.#take(number)
    if (digits) return { kind: 'number', value: this.#number(digits[0], at), at }
    throw this.#source.fault(at, `unexpected "${printable(String.fromCodePoint(text.codePointAt(at) ?? 0))}"`)
  }

  #skip(): void {
    const { text } = this.#source
    for (;;) {
      if (text.startsWith('/*', this.#at)) {
        const end = text.indexOf('*/', this.#at + 2)
        if (end === -1) throw this.#source.fault(this.#at, 'the comment that begins here has no "*/"')
        this.#at = end + 2
      } else if (!this.#take(blank) && !this.#take(lineComment)) return
    }
  }

  #string(): string {
    const { text } = this.#source
    const start = this.#at
    const parts: string[] = []
    this.#at += 1
    for (;;) {
      parts.push(this.#take(plain)?.[0] ?? '')
      const char = text[this.#at]
      if (char === '"') break
      if (char !== '\\') throw this.#source.fault(start, 'the string that begins here has no closing quote on its line')
      parts.push(this.#escape())
    }
    this.#at += 1
    return parts.join('')
  }

  #escape(): string {
    const at = this.#at
    this.#at += 1
    const simple = escapes[this.#source.text[this.#at] ?? '']
    if (simple !== undefined) {
      this.#at += 1
      return simple
    }
    const found = this.#take(code)
    const point = Number.parseInt(found?.[1] ?? found?.[2] ?? '', 16)
    // Surrogates are halves of characters: no text of UTF-8 has them.
    if (!(point <= 0x10ffff) || (point >= 0xd800 && point <= 0xdfff)) {
      throw this.#source.fault(at, 'unknown escape: allowed are \\", \\\\, \\n, \\r, \\t, \\uXXXX and \\UXXXXXXXX')
    }
    return String.fromCodePoint(point)
  }

  /** `<<NAME` up to the line that is NAME; with `<<-`, the indentation of that last line is taken off every line that all share. */
  #heredoc(): string {
    const { text } = this.#source
    const start = this.#at
    const opening = this.#take(heredoc)
    const word = opening?.[2]
    if (!opening || word === undefined) throw this.#source.fault(start, 'a heredoc begins with <<NAME and a new line')
    const lines: string[] = []
    for (let from = this.#at; from < text.length; ) {
      const newline = text.indexOf('\n', from)
      const line = text.slice(from, newline === -1 ? text.length : newline)
      if (line.trim() === word) {
        this.#at = from + line.trimEnd().length
        const indent = line.slice(0, line.indexOf(word))
        const shared = opening[1] === '-' && lines.every((each) => each.startsWith(indent))
        return lines.map((each) => `${shared ? each.slice(indent.length) : each}\n`).join('')
      }
      if (newline === -1) break
      lines.push(line)
      from = newline + 1
    }
    throw this.#source.fault(start, `the heredoc that begins here has no line "${printable(word)}"`)
  }

  #number(digits: string, at: number): number {
    const value = /^-0x/i.test(digits) ? -Number(digits.slice(1)) : Number(digits)
    if (!Number.isFinite(value)) throw this.#source.fault(at, 'the number is too large')
    return value
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#source.text)
    if (!found) return undefined
    this.#at = pattern.lastIndex
    return found
  }
}

function isMark(char: string): char is '{' | '}' | '[' | ']' | ',' | '=' {
  return marks.has(char)
}
