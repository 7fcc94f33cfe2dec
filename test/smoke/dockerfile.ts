import { readFileSync } from 'node:fs'

export interface Instruction {
  name: string
  rest: string
}

/** The instructions of a Dockerfile in order: comments out, continued lines joined. */
export function readDockerfile(file: string): Instruction[] {
  return readFileSync(file, 'utf8')
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line.trim()) ?? []
      return { name, rest }
    })
}
