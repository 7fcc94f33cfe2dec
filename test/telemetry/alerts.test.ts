import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { liveABit, type Measured, measuredGateway } from './busy-gateway.ts'
import { type Family, parseMetrics } from './text-format.ts'

interface Rule {
  alert: string
  expr: string
  for?: string
  labels: Record<string, string>
  annotations: Record<string, string>
}

const file = readFileSync(resolve(import.meta.dirname, '../../deploy/alerts.yaml'), 'utf8')
const { groups } = parse(file) as { groups: { name: string; rules: Rule[] }[] }
const rules = groups.flatMap((group) => group.rules)

/** Prometheus' own: whether a scrape succeeded, and the labels that every scraped series gets. */
const own = { metrics: ['up'], labels: ['job', 'instance', 'le'] }
const words = new Set(['and', 'or', 'unless', 'by', 'on', 'without', 'ignoring', 'offset', 'bool'])

/** The series that an expression asks for: names, with the labels that they are chosen by. */
function asked(expr: string): { name: string; labels: string[] }[] {
  const bare = expr
    .replace(/"(?:[^"\\]|\\.)*"/g, '""')
    .replace(/\b(?:by|on|without|ignoring) *\([^)]*\)/g, ' ')
    .replace(/\[[^\]]*\]/g, ' ')
  return [...bare.matchAll(/([a-zA-Z_:][\w:]*)(?![\w:]| *\()(?: *\{([^}]*)\})?/g)]
    .map(([, name = '', matchers = '']) => ({
      name,
      labels: [...matchers.matchAll(/(\w+) *[=!]/g)].map(([, one = '']) => one),
    }))
    .filter(({ name }) => !words.has(name))
}

let measured: Measured
let families: Map<string, Family>
beforeAll(async () => {
  measured = await measuredGateway()
  await liveABit(measured)
  families = parseMetrics(await measured.print())
})
afterAll(() => measured.vault.close())

function familyOf(name: string): Family | undefined {
  return families.get(name) ?? families.get(name.replace(/_bucket$/, ''))
}

describe('deploy/alerts.yaml', () => {
  it('has rules with all that they need, and every name once', () => {
    expect(rules.length).toBeGreaterThan(10)
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
    for (const { alert, expr, labels, annotations, for: lasting } of rules) {
      expect(alert).toMatch(/^Keyferry[A-Z][A-Za-z]+$/)
      expect(expr.trim()).not.toBe('')
      expect(lasting ?? '1m').toMatch(/^\d+[mh]$/)
      expect(['critical', 'warning']).toContain(labels.severity)
      expect(annotations.summary).toContain('{{ $labels.')
    }
  })

  it.each(rules.map(({ alert, expr }) => [alert, expr]))('%s asks for what is really printed', (_, expr = '') => {
    const found = asked(expr)
    expect(found).not.toEqual([])
    for (const { name, labels } of found) {
      if (own.metrics.includes(name)) continue
      const family = familyOf(name)
      expect([name, family?.samples.length]).toEqual([name, expect.any(Number)])
      const known = new Set(family?.samples.flatMap((sample) => Object.keys(sample.labels)))
      expect(labels.filter((label) => !known.has(label) && !own.labels.includes(label))).toEqual([])
    }
  })

  it('would be seen to ask for what is not there', () => {
    expect(
      asked('sum by (instance) (rate(none_total{reason=~"a|b"}[5m])) / on (x) other > 0.1 unless up == 0'),
    ).toEqual([
      { name: 'none_total', labels: ['reason'] },
      { name: 'other', labels: [] },
      { name: 'up', labels: [] },
    ])
    expect(familyOf('none_total')).toBeUndefined()
  })
})
