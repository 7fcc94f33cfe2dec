import { styleText } from 'node:util'

let chapter = 0

/** Begins a step of the story. */
export function step(title: string): void {
  chapter++
  console.log(`\n${styleText('bold', `${chapter}. ${title}`)}`)
}

/** What was sent. */
export function sent(text: string): void {
  console.log(styleText('dim', `   ${text}`))
}

/** Says what was found, or throws when it is not what it must be. */
export function verify(what: string, found: unknown, wanted: unknown): void {
  if (JSON.stringify(found) !== JSON.stringify(wanted)) {
    throw new Error(`${what}: found ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`)
  }
  console.log(`   ${styleText('green', '✓')} ${what}`)
}
