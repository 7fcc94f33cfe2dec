import { KeyferryError } from '../errors.ts'

/** What was sealed for a change is under a key that was rotated away before the change was made: nothing was changed. */
export class StaleSeal extends KeyferryError {
  constructor(options?: { cause?: unknown }) {
    super('unavailable', 'the keys that seal the database were rotated meanwhile: try again', options)
  }
}

const mostAttempts = 3

/** Seals and changes once more where keys were rotated in between. `work` asks for its sealer anew each time. */
export async function sealedAgain<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof StaleSeal) || attempt >= mostAttempts) throw error
    }
  }
}
