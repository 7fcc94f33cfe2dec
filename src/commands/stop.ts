const signals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const

/**
 * Resolves at the first SIGINT, SIGTERM or SIGHUP, whose default end is thereby off. A second one ends the process at once, as a
 * person expects who presses Ctrl-C again.
 */
export function stopRequested(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let stopping = false
    for (const [signal, number] of Object.entries(signals)) {
      process.on(signal, () => {
        if (stopping) process.exit(128 + number)
        stopping = true
        resolve(signal as NodeJS.Signals)
      })
    }
  })
}
