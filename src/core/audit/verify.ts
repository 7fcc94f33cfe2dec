import { chainKey, chainOf, checkLine, type Head, startOf } from './chain.ts'

/** What a check of a log found: nothing, or the first fault of each chain. */
export interface Verdict {
  lines: number
  chains: number
  /** 1-based line numbers of the text given; 0 for what is missing at the end. */
  faults: { line: number; message: string }[]
}

/**
 * Checks the lines of one sink, oldest first, over all its rotated files: that each follows from the one before it in its run, and that
 * none is missing at the end, as far as the heads kept in the store tell.
 */
export async function verifyLog(
  auditKey: Buffer,
  lines: AsyncIterable<string>,
  kept: readonly Head[],
  sink: string,
): Promise<Verdict> {
  const key = chainKey(auditKey)
  const heads = new Map<string, Head>()
  const broken = new Set<string>()
  const faults: Verdict['faults'] = []
  let number = 0
  for await (const line of lines) {
    number += 1
    if (line === '') continue
    const said = chainOf(line)
    if (!said || said.sink !== sink) {
      faults.push({
        line: number,
        message: said ? `belongs to the sink "${said.sink}"` : 'is not a line of an audit log',
      })
      continue
    }
    if (broken.has(said.run)) continue
    const result = checkLine(key, heads.get(said.run) ?? startOf(said.run, sink), line)
    if ('head' in result) heads.set(said.run, result.head)
    else {
      broken.add(said.run)
      faults.push({ line: number, message: result.fault })
    }
  }
  for (const head of kept) {
    if (head.sink !== sink || broken.has(head.run)) continue
    const seen = heads.get(head.run)?.sequence ?? 0
    if (seen < head.sequence) {
      faults.push({
        line: 0,
        message: `run ${head.run} is known to have had ${head.sequence} lines, and ${seen} are here: the end was cut off`,
      })
    }
  }
  return { lines: number, chains: heads.size, faults }
}
