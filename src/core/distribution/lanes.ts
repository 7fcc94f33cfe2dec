import type { DueCopy, Lane } from '../store.ts'

/** How many copies are worked on at once: in all, of one namespace, of one namespace in one place. */
export interface Room {
  total: number
  namespace: number
  lane: number
}

export const defaultRoom: Room = { total: 64, namespace: 16, lane: 12 }

/** Lanes that do not answer are remembered up to here: beyond, all of them get another chance. */
const mostSilent = 10_000

/**
 * Copies that wait for work, and how many are worked on where. A place that does not answer holds up nobody else: work on it keeps its room
 * until calls time out, so it gets room for one copy only from then on, until it answers again, and all such places together get half. Lanes
 * take turns.
 */
export class Lanes {
  readonly #room: Room
  readonly #waiting = new Map<string, Map<string, DueCopy>>()
  readonly #running = new Map<string, DueCopy>()
  /** How many are worked on, by namespace and by lane. */
  readonly #inNamespace = new Counts()
  readonly #inLane = new Counts()
  readonly #silent = new Set<string>()
  #silentRunning = 0
  #count = 0

  constructor(room: Room = defaultRoom) {
    this.#room = room
  }

  get waiting(): number {
    return this.#count
  }

  /**
   * A copy that somebody asks for, or (`bounded`) one of many that are due: of those no more wait than would soon be begun, and the rest stay
   * in the store. True: it waits from now on.
   */
  add(copy: DueCopy, bounded = false): boolean {
    const lane = nameOf(copy)
    const waiting = this.#waiting.get(lane) ?? new Map<string, DueCopy>()
    if (this.#running.has(copy.id) || waiting.has(copy.id)) return false
    if (bounded && waiting.size >= 2 * this.#most(lane)) return false
    this.#waiting.set(lane, waiting.set(copy.id, copy))
    this.#count += 1
    return true
  }

  /** The next one that there is room for: it counts as being worked on until `done`. */
  take(): DueCopy | undefined {
    if (this.#running.size >= this.#room.total) return undefined
    for (const [lane, waiting] of this.#waiting) {
      const copy = waiting.values().next().value
      if (!copy || !this.#hasRoom(lane, copy)) continue
      waiting.delete(copy.id)
      this.#count -= 1
      // To the end of the line.
      this.#waiting.delete(lane)
      if (waiting.size > 0) this.#waiting.set(lane, waiting)
      this.#running.set(copy.id, copy)
      this.#inNamespace.add(copy.namespaceId, 1)
      this.#inLane.add(lane, 1)
      if (this.#silent.has(lane)) this.#silentRunning += 1
      return copy
    }
    return undefined
  }

  done(copyId: string): void {
    const copy = this.#running.get(copyId)
    if (!copy) return
    this.#running.delete(copyId)
    this.#inNamespace.add(copy.namespaceId, -1)
    this.#inLane.add(nameOf(copy), -1)
    if (this.#silent.has(nameOf(copy))) this.#silentRunning -= 1
  }

  /** Whether the place answered, whatever it answered. */
  heard(lane: Lane, answered: boolean): void {
    const name = nameOf(lane)
    if (answered === !this.#silent.has(name)) return
    if (answered) this.#silent.delete(name)
    else {
      if (this.#silent.size >= mostSilent) this.#forgetSilence()
      this.#silent.add(name)
    }
    this.#silentRunning += (answered ? -1 : 1) * this.#inLane.of(name)
  }

  clear(): void {
    this.#waiting.clear()
    this.#count = 0
  }

  #most(lane: string): number {
    return this.#silent.has(lane) ? 1 : this.#room.lane
  }

  #hasRoom(lane: string, copy: DueCopy): boolean {
    if (this.#inNamespace.of(copy.namespaceId) >= this.#room.namespace) return false
    if (this.#silent.has(lane) && this.#silentRunning >= this.#room.total / 2) return false
    return this.#inLane.of(lane) < this.#most(lane)
  }

  #forgetSilence(): void {
    this.#silent.clear()
    this.#silentRunning = 0
  }
}

class Counts {
  readonly #counts = new Map<string, number>()

  of(name: string): number {
    return this.#counts.get(name) ?? 0
  }

  add(name: string, change: number): void {
    const count = this.of(name) + change
    if (count === 0) this.#counts.delete(name)
    else this.#counts.set(name, count)
  }
}

function nameOf({ namespaceId, collection }: Lane): string {
  return `${namespaceId} ${collection}`
}
