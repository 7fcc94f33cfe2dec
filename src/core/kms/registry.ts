import { invalid, oneOf } from '../errors.ts'
import { printable } from '../keys/types.ts'
import type { Provider } from './provider.ts'

/** The providers that this process knows, by name. */
export class ProviderRegistry {
  readonly #byName = new Map<string, Provider>()

  /** Adds a provider; throws when its name is taken, which is a mistake of the program. */
  register(provider: Provider): this {
    if (this.#byName.has(provider.name)) throw new Error(`provider "${provider.name}" is registered twice`)
    this.#byName.set(provider.name, provider)
    return this
  }

  /** The provider of that name. Throws `invalid` with the names that are allowed. */
  get(name: string): Provider {
    const provider = this.#byName.get(name)
    if (!provider) throw invalid(`unsupported provider "${printable(name)}": allowed is ${oneOf(this.names())}`)
    return provider
  }

  names(): string[] {
    return [...this.#byName.keys()].sort()
  }
}
