import { expect, test } from 'vitest'
import { createLog, type LogOptions } from '../../src/commands/log.ts'

function logged(options: LogOptions): string[] {
  const lines: string[] = []
  const log = createLog({ now: () => 0, write: (line) => void lines.push(line), ...options })
  log('info', 'began')
  log('warn', 'a line\nof two', { what: 'x\ny', none: undefined, count: 2 })
  log('error', 'ended')
  return lines
}

const esc = '\u001b'
const time = '1970-01-01T00:00:00.000Z'

test('text is one line an event, for people', () => {
  expect(logged({ format: 'text', colours: false })).toEqual([
    `${time} INFO  began`,
    `${time} WARN  a line of two what="x\\ny" none=undefined count=2`,
    `${time} ERROR ended`,
  ])
})

test('on a terminal it has colours, by level, and is the same without them', () => {
  const [info = '', warn = '', error = ''] = logged({ format: 'text', colours: true })
  expect(info).toContain(`${esc}[32mINFO ${esc}[39m began`)
  expect(warn).toContain(`${esc}[33mWARN ${esc}[39m `)
  expect(error).toContain(`${esc}[31mERROR${esc}[39m ended`)
  const plain = [info, warn, error].map((line) => line.replaceAll(/\u001b\[\d+m/g, ''))
  expect(plain).toEqual(logged({ format: 'text', colours: false }))
})

test('json is one object a line, never with colours', () => {
  expect(logged({ format: 'json', colours: true }).map((line) => JSON.parse(line) as unknown)).toEqual([
    { time, level: 'info', message: 'began' },
    { time, level: 'warn', message: 'a line\nof two', what: 'x\ny', count: 2 },
    { time, level: 'error', message: 'ended' },
  ])
  for (const line of logged({ format: 'json' })) expect(line).not.toContain('\n')
})

test.each([
  ['info', 3],
  ['warn', 2],
  ['error', 1],
] as const)('the level %s lets %i of three through', (level, count) => {
  expect(logged({ level, format: 'json' })).toHaveLength(count)
})
