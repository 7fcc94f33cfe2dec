import { comparePrecedence, type Pattern, parsePattern } from './pattern.ts'

/** A pattern and what belongs to it. */
export interface Indexed<T> {
  pattern: Pattern
  value: T
}

/** Where a walk along the parts of a path can stand. */
interface Node<T> {
  literals: Map<string, Node<T>> | undefined
  plus: Node<T> | undefined
  /** The pattern that ends here. */
  end: Indexed<T> | undefined
  /** The pattern that is `*` from here. */
  rest: Indexed<T> | undefined
  tails: Tails<T> | undefined
}

/** Patterns that end in some text and `*`, by that text. */
interface Tails<T> {
  byText: Map<string, Indexed<T>>
  /** Of the texts, each once, longest first. */
  lengths: number[]
}

/**
 * Finds, among many patterns, the one that decides about a path. Exact paths are in a map; the others in a tree by parts, so that the cost
 * follows the parts of the path and not the number of patterns.
 */
export class PatternIndex<T> {
  readonly #exact = new Map<string, Indexed<T>>()
  readonly #root: Node<T> = newNode()
  #wild = false

  /** Adds a pattern, or changes what belongs to one that is there: `merge` takes the present value, undefined when there is none. */
  put(text: string, merge: (present: T | undefined) => T): void {
    const pattern = parsePattern(text)
    if (pattern.first === Number.POSITIVE_INFINITY) {
      this.#exact.set(text, replaced(this.#exact.get(text), pattern, merge))
      return
    }
    this.#wild = true
    const parts = pattern.text.split('/')
    const tail = pattern.glob ? parts.pop() : undefined
    let node = this.#root
    for (const part of parts) node = part === '+' ? plusOf(node) : literalOf(node, part)
    if (tail === undefined) {
      node.end = replaced(node.end, pattern, merge)
      return
    }
    if (tail === '') {
      node.rest = replaced(node.rest, pattern, merge)
      return
    }
    node.tails ??= { byText: new Map(), lengths: [] }
    const { byText, lengths } = node.tails
    byText.set(tail, replaced(byText.get(tail), pattern, merge))
    if (lengths.includes(tail.length)) return
    lengths.push(tail.length)
    lengths.sort((a, b) => b - a)
  }

  /** The pattern that decides about a path by Vault's precedence; undefined when none matches. */
  find(path: string): Indexed<T> | undefined {
    const exact = this.#exact.get(path)
    return exact || !this.#wild ? exact : walk(this.#root, path, 0, -1, undefined)
  }

  /** The pattern that is this very path. */
  findExact(path: string): Indexed<T> | undefined {
    return this.#exact.get(path)
  }
}

/**
 * The best of `best` and what matches from `node` on. `start`: where in the path the next part begins, -1 behind the last; `first`: where
 * the first `+` on the way was, -1 for none. Later first wildcards are met first, and what cannot beat them is not walked.
 */
function walk<T>(
  node: Node<T>,
  path: string,
  start: number,
  first: number,
  best: Indexed<T> | undefined,
): Indexed<T> | undefined {
  if (start === -1) return better(best, node.end)
  const slash = path.indexOf('/', start)
  const next = slash === -1 ? -1 : slash + 1
  const literal = node.literals?.get(path.slice(start, slash === -1 ? path.length : slash))
  let found = literal ? walk(literal, path, next, first, best) : best
  if (node.tails) found = better(found, longestTail(node.tails, path, start))
  if (node.rest) found = better(found, node.rest)
  if (node.plus) {
    const from = first === -1 ? start : first
    if (!found || found.pattern.first <= from) found = walk(node.plus, path, next, from, found)
  }
  return found
}

function longestTail<T>({ byText, lengths }: Tails<T>, path: string, start: number): Indexed<T> | undefined {
  for (const length of lengths) {
    if (start + length > path.length) continue
    const found = byText.get(path.slice(start, start + length))
    if (found) return found
  }
  return undefined
}

function better<T>(a: Indexed<T> | undefined, b: Indexed<T> | undefined): Indexed<T> | undefined {
  if (!a || !b) return a ?? b
  return comparePrecedence(a.pattern, b.pattern) >= 0 ? a : b
}

function replaced<T>(
  present: Indexed<T> | undefined,
  pattern: Pattern,
  merge: (present: T | undefined) => T,
): Indexed<T> {
  return { pattern: present?.pattern ?? pattern, value: merge(present?.value) }
}

function newNode<T>(): Node<T> {
  return { literals: undefined, plus: undefined, end: undefined, rest: undefined, tails: undefined }
}

function plusOf<T>(node: Node<T>): Node<T> {
  node.plus ??= newNode()
  return node.plus
}

function literalOf<T>(node: Node<T>, part: string): Node<T> {
  node.literals ??= new Map()
  let child = node.literals.get(part)
  if (!child) {
    child = newNode()
    node.literals.set(part, child)
  }
  return child
}
