import { readFileSync } from 'node:fs'

/** The text of worker.ts. In a bundle, where there is no such file, a module with the same text takes this one's place. */
export function workerSource(): string {
  source ??= readFileSync(new URL('./worker.ts', import.meta.url), 'utf8')
  return source
}
let source: string | undefined
