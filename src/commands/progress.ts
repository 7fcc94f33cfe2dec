/** Where progress is shown: standard error, as far as this looks at it. */
export interface ProgressOutput {
  isTTY?: boolean
  columns?: number
  write(text: string): unknown
}

/** How far long work is, for a person who waits. */
export interface Progress {
  /** What is done now. Told again and again, as work that counts does, it is shown some times a second at most. */
  show(what: string): void
  /** Takes the line away. */
  end(): void
}

const everyMs = 100
const toTheLineEnd = '\u001b[K'

/** One line that is written over, on a terminal; elsewhere nothing at all. `now` in ms. */
export function startProgress(
  output: ProgressOutput = process.stderr,
  now: () => number = () => performance.now(),
): Progress {
  if (!output.isTTY) return { show: () => undefined, end: () => undefined }
  let shownAt = Number.NEGATIVE_INFINITY
  let shown = ''
  const stage = (what: string) => what.replace(/\d.*/s, '')
  return {
    show(what) {
      if (stage(what) === stage(shown) && now() - shownAt < everyMs) return
      // A terminal that does not know its width says 0.
      output.write(`\r${what.slice(0, (output.columns || 80) - 1)}${toTheLineEnd}`)
      shownAt = now()
      shown = what
    },
    end() {
      if (shown !== '') output.write(`\r${toTheLineEnd}`)
      shown = ''
    },
  }
}

/** Passes pieces on and shows how many of `total` bytes went by. */
export async function* counted(
  pieces: AsyncIterable<Buffer>,
  { progress, what, total }: { progress: Progress; what: string; total: number },
): AsyncIterable<Buffer> {
  let bytes = 0
  for await (const piece of pieces) {
    bytes += piece.length
    progress.show(`${what}: ${megabytes(bytes)} of ${megabytes(total)} MB`)
    yield piece
  }
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1)
