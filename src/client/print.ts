import { systemCode } from '../config/exit-codes.ts'

let listening = false

/** Writes to standard output. Where nobody reads on (`keyferry list … | head`), the process ends quietly, as other programs do. */
export function print(text: string): void {
  if (!listening) {
    process.stdout.on('error', (error: unknown) => {
      if (systemCode(error) !== 'EPIPE') throw error
      process.exit()
    })
    listening = true
  }
  process.stdout.write(text)
}
