/** Azure's limit, per vault and region: 300 imports in 10 s (Microsoft Learn, "Azure Key Vault service limits"). */
export const importLimit = 300
const windowMs = 10_000

/** Counts the imports that this process has sent to each vault in the last ten seconds. */
export class ImportMeter {
  readonly #now: () => number
  readonly #sent = new Map<string, number[]>()

  constructor(now: () => number) {
    this.#now = now
  }

  note(collection: string): void {
    const recent = this.#recent(collection)
    recent.push(this.#now())
    this.#sent.set(collection, recent)
  }

  count(collection: string): number {
    return this.#recent(collection).length
  }

  #recent(collection: string): number[] {
    const since = this.#now() - windowMs
    const recent = (this.#sent.get(collection) ?? []).filter((time) => time > since)
    if (recent.length === 0) this.#sent.delete(collection)
    return recent
  }
}
