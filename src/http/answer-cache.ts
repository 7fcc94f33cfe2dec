/** A kept answer is right as long as its mount has the same stamp. */
export interface KeptAnswer {
  readonly stamp: number
  readonly tail: string
  /** What the audit log says of it, once it has said so: the same each time. */
  recorded?: string
}

/**
 * Serialised answers that are the same for everybody who may have them, by mount and request; the least recently used go first. Looked up
 * only after authorization.
 */
export class AnswerCache {
  readonly #kept = new Map<string, KeptAnswer>()
  readonly #maxAnswers: number
  readonly #maxCharacters: number
  #characters = 0

  constructor(maxAnswers: number, maxCharacters: number) {
    this.#maxAnswers = maxAnswers
    this.#maxCharacters = maxCharacters
  }

  get(key: string, stamp: number): KeptAnswer | undefined {
    const kept = this.#kept.get(key)
    if (kept === undefined) return undefined
    this.#kept.delete(key)
    if (kept.stamp !== stamp) {
      this.#characters -= key.length + kept.tail.length
      return undefined
    }
    this.#kept.set(key, kept)
    return kept
  }

  /** `stamp`: as it was before the answer was computed. */
  set(key: string, stamp: number, tail: string): void {
    const size = key.length + tail.length
    if (size > this.#maxCharacters / 4) return
    const old = this.#kept.get(key)
    if (old) this.#forget(key, old)
    this.#kept.set(key, { stamp, tail })
    this.#characters += size
    while (this.#kept.size > this.#maxAnswers || this.#characters > this.#maxCharacters) {
      const oldest = this.#kept.entries().next().value
      if (!oldest) break
      this.#forget(...oldest)
    }
  }

  #forget(key: string, kept: KeptAnswer): void {
    this.#kept.delete(key)
    this.#characters -= key.length + kept.tail.length
  }
}
