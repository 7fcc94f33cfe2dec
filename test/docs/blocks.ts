import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

export const repository = resolve(import.meta.dirname, '../..')

/** A fenced block of a document. */
export interface Block {
  file: string
  /** Of its first line of text, from 1. */
  line: number
  language: string
  text: string
}

/** README, CONTRIBUTING, SECURITY and docs/, in the order in which a newcomer reads them. */
export function documents(): string[] {
  const docs = readdirSync(join(repository, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => `docs/${name}`)
  return ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...docs]
}

/** The fenced blocks of a document, in order. Throws when a fence is left open. */
export function blocksOf(file: string, text = readFileSync(join(repository, file), 'utf8')): Block[] {
  const blocks: Block[] = []
  let open: Block | undefined
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^```(\w*)\s*$/.exec(line)
    if (fence && open) {
      blocks.push(open)
      open = undefined
    } else if (fence) {
      open = { file, line: index + 2, language: fence[1] ?? '', text: '' }
    } else if (open) {
      open.text += `${line}\n`
    }
  }
  if (open) throw new Error(`${file}: the block at line ${open.line} is not closed`)
  return blocks
}
