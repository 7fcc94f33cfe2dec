import { StringDecoder } from 'node:string_decoder'

/**
 * Asks for a secret on a terminal, without showing what is typed. Gives the line; undefined when the person gave up (Ctrl-C, Ctrl-D).
 */
export async function askHidden(question: string): Promise<string | undefined> {
  const { stdin, stderr } = process
  stderr.write(question)
  stdin.setRawMode(true)
  try {
    return await new Promise((resolve) => {
      const decoder = new StringDecoder('utf8')
      let line = ''
      const heard = (chunk: Buffer) => {
        for (const character of decoder.write(chunk)) {
          if (character === '\r' || character === '\n') return done(line)
          if (character === '\u0003' || character === '\u0004') return done(undefined)
          // Backspace, as terminals send it.
          line = character === '\u007f' || character === '\b' ? line.slice(0, -1) : line + character
        }
      }
      const gone = () => done(undefined)
      const done = (result: string | undefined) => {
        stdin.off('data', heard)
        stdin.off('end', gone)
        resolve(result)
      }
      stdin.on('data', heard)
      stdin.on('end', gone)
    })
  } finally {
    stdin.setRawMode(false)
    stdin.pause()
    stderr.write('\n')
  }
}
