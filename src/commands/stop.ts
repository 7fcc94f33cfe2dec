const stopping = { SIGINT: 2, SIGTERM: 15 } as const
const hangUp = { SIGHUP: 1, ...stopping } as const

/**
 * Resolves at the first SIGINT, SIGTERM or SIGHUP, whose default end is thereby off. A second one ends the process at once, as a
 * person expects who presses Ctrl-C again. `reload`: what SIGHUP does instead, as a service's does.
 */
export function stopRequested(reload?: () => void): Promise<NodeJS.Signals> {
  if (reload) process.on('SIGHUP', reload)
  const signals = reload ? stopping : hangUp
  return new Promise((resolve) => {
    let asked = false
    for (const [signal, number] of Object.entries(signals)) {
      process.on(signal, () => {
        if (asked) process.exit(128 + number)
        asked = true
        resolve(signal as NodeJS.Signals)
      })
    }
  })
}
