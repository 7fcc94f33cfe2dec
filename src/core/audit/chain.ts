import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'

/** Where a chain stands: the last line's number and its code. */
export interface Head {
  /** A run of one process, random. */
  run: string
  sink: string
  /** 0: no line yet. */
  sequence: number
  /** Hex. */
  mac: string
}

/** The key that chains lines, out of the instance's audit key. */
export function chainKey(auditKey: Buffer): KeyObject {
  return createSecretKey(createHmac('sha256', auditKey).update('audit chain').digest())
}

/** A chain before its first line. */
export function startOf(run: string, sink: string): Head {
  return { run, sink, sequence: 0, mac: '' }
}

/**
 * Chains one more line onto a head: each line carries its run, its sink, its number, and an HMAC over the one before it and itself, so
 * that a change, a move or a gap shows. `body` is the line as JSON; gives the line as it is written, without line feed.
 */
export function chain(key: KeyObject, head: Head, body: string): { line: string; head: Head } {
  const sequence = head.sequence + 1
  const unsigned = `${body.slice(0, -1)},"chain":{"run":"${head.run}","sink":${JSON.stringify(head.sink)},"sequence":${sequence}`
  const mac = createHmac('sha256', key).update(head.mac).update('\n').update(unsigned).digest('hex')
  return { line: `${unsigned},"mac":"${mac}"}}`, head: { ...head, sequence, mac } }
}

const tail = /,"mac":"([0-9a-f]{64})"\}\}$/

/** What is wrong with a line, as it follows `before`; undefined when nothing is. */
export function checkLine(key: KeyObject, before: Head, line: string): { fault: string } | { head: Head } {
  const mac = tail.exec(line)?.[1]
  if (mac === undefined) return { fault: 'is not a line of an audit log' }
  const unsigned = line.slice(0, line.length - `,"mac":"${mac}"}}`.length)
  const expected = createHmac('sha256', key).update(before.mac).update('\n').update(unsigned).digest()
  if (!timingSafeEqual(expected, Buffer.from(mac, 'hex')))
    return { fault: 'does not follow from the line before it: it was changed, moved, or lines are missing' }
  return { head: { ...before, sequence: before.sequence + 1, mac } }
}

/** Which chain a line says it belongs to. */
export function chainOf(line: string): { run: string; sink: string; sequence: number } | undefined {
  try {
    const { chain: said } = JSON.parse(line) as { chain?: { run?: unknown; sink?: unknown; sequence?: unknown } }
    const { run, sink, sequence } = said ?? {}
    if (typeof run !== 'string' || typeof sink !== 'string' || typeof sequence !== 'number') return undefined
    return { run, sink, sequence }
  } catch {
    return undefined
  }
}
