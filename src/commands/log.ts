import type { Context } from '../core/context.ts'

export interface LogOptions {
  level?: 'info' | 'warn' | 'error' | undefined
  format?: 'text' | 'json' | undefined
  /** Standard error unless told. */
  write?: (line: string) => void
  now?: () => number
}

const levels = ['info', 'warn', 'error'] as const

/** A log for operators on standard error: one line an event, for people on a terminal, as JSON elsewhere. */
export function createLog(options: LogOptions = {}): Context['log'] {
  const { level: least = 'info', format = process.stderr.isTTY ? 'text' : 'json', now = Date.now } = options
  const write = options.write ?? ((line: string) => process.stderr.write(`${line}\n`))
  return (level, message, details = {}) => {
    if (levels.indexOf(level) < levels.indexOf(least)) return
    const time = new Date(now()).toISOString()
    if (format === 'json') write(JSON.stringify({ time, level, message, ...details }))
    else write([time, level.toUpperCase().padEnd(5), message, ...pairs(details)].join(' '))
  }
}

function pairs(details: Record<string, unknown>): string[] {
  return Object.entries(details).map(([name, value]) => `${name}=${JSON.stringify(value) ?? String(value)}`)
}
