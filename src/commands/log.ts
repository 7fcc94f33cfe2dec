import { styleText } from 'node:util'
import type { Context } from '../core/context.ts'

export interface LogOptions {
  level?: 'info' | 'warn' | 'error' | undefined
  format?: 'text' | 'json' | undefined
  /** Whether text has colours: on a terminal that does not refuse them (NO_COLOR), unless told. */
  colours?: boolean
  /** Standard error unless told. */
  write?: (line: string) => void
  now?: () => number
}

const levels = ['info', 'warn', 'error'] as const
const colours = { info: 'green', warn: 'yellow', error: 'red' } as const

/** A log for operators on standard error: one line an event, for people on a terminal, as JSON elsewhere. */
export function createLog(options: LogOptions = {}): Context['log'] {
  const { level: least = 'info', format = process.stderr.isTTY ? 'text' : 'json', now = Date.now } = options
  const write = options.write ?? ((line: string) => process.stderr.write(`${line}\n`))
  const coloured = options.colours ?? (process.stderr.isTTY === true && !process.env.NO_COLOR)
  const paint: typeof styleText = (style, text) => (coloured ? styleText(style, text, { validateStream: false }) : text)
  return (level, message, details = {}) => {
    if (levels.indexOf(level) < levels.indexOf(least)) return
    const time = new Date(now()).toISOString()
    if (format === 'json') write(JSON.stringify({ time, level, message, ...details }))
    else {
      const rest = pairs(details).map((pair) => paint('dim', pair))
      const said = message.replace(/\s*\n\s*/g, ' ')
      write([paint('dim', time), paint(colours[level], level.toUpperCase().padEnd(5)), said, ...rest].join(' '))
    }
  }
}

function pairs(details: Record<string, unknown>): string[] {
  return Object.entries(details).map(([name, value]) => `${name}=${JSON.stringify(value) ?? String(value)}`)
}
