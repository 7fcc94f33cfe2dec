import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** In ms. */
const afterMs = 10_000

/**
 * Collects the garbage of the start, once, a while after it: about 10 MiB of compiled modules and migrations. V8 collects where much is
 * allocated, and a gateway that idles allocates nothing. Costs 20 ms of the event loop. Gives what calls it off.
 */
export function collectStart(waitMs = afterMs): () => void {
  const timer = setTimeout(() => {
    // The only way to reach V8's collector without a flag on every command line that starts Node.
    setFlagsFromString('--expose-gc')
    const collect: () => void = runInNewContext('gc')
    collect()
  }, waitMs)
  timer.unref()
  return () => clearTimeout(timer)
}
