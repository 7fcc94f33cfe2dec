/** A metric as it was printed. */
export interface Family {
  name: string
  help: string
  type: string
  samples: { name: string; labels: Record<string, string>; value: number }[]
}

const types = ['counter', 'gauge', 'histogram']
const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/
const labelPair = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(?:,|$)/y

/**
 * Reads Prometheus' text format, 0.0.4, more strictly than Prometheus does: a HELP and a TYPE first, every sample under its own metric,
 * none twice, labels that are quoted and escaped as they must be, and histograms that grow with their buckets. Throws a sentence.
 */
export function parseMetrics(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end')
  const families = new Map<string, Family>()
  const seen = new Set<string>()
  let family: Family | undefined
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') continue
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line)
    if (comment) {
      const [, kind, name = '', rest = ''] = comment
      if (kind === 'HELP') {
        if (!metricName.test(name) || families.has(name)) throw new Error(`not a new metric: ${line}`)
        family = { name, help: unescaped(rest), type: '', samples: [] }
        families.set(name, family)
      } else {
        if (family?.name !== name || family.type !== '' || !types.includes(rest)) throw new Error(`not a type: ${line}`)
        family.type = rest
      }
      continue
    }
    const [, name = '', labels = '', number = ''] = sampleLine.exec(line) ?? []
    if (!family?.type || !belongs(family, name)) throw new Error(`not a sample of ${family?.name}: ${line}`)
    const sample = { name, labels: parseLabels(labels, line), value: parseNumber(number, line) }
    const id = `${name} ${JSON.stringify(Object.entries(sample.labels).sort())}`
    if (seen.has(id)) throw new Error(`there twice: ${line}`)
    seen.add(id)
    if (family.type !== 'gauge' && sample.value < 0) throw new Error(`less than nothing: ${line}`)
    family.samples.push(sample)
  }
  for (const one of families.values()) if (one.type === 'histogram') checkHistogram(one)
  return families
}

function belongs({ name, type }: Family, sample: string): boolean {
  if (type !== 'histogram') return sample === name
  return ['_bucket', '_sum', '_count'].some((end) => sample === name + end)
}

function parseLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {}
  labelPair.lastIndex = 0
  while (labelPair.lastIndex < text.length) {
    const at = labelPair.lastIndex
    const [, name = '', value = ''] = labelPair.exec(text) ?? []
    if (name === '' || name in labels) throw new Error(`bad labels at ${at}: ${line}`)
    labels[name] = unescaped(value)
  }
  return labels
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, one: string) => (one === 'n' ? '\n' : one))
}

function parseNumber(text: string, line: string): number {
  const value = text === '+Inf' ? Number.POSITIVE_INFINITY : Number(text)
  if (text === '' || Number.isNaN(value)) throw new Error(`not a number: ${line}`)
  return value
}

/** Each series has all buckets up to +Inf, none smaller than the one before, and the last is the count. */
function checkHistogram({ name, samples }: Family): void {
  const series = new Map<string, { bounds: number[]; counts: number[]; count?: number; sum?: number }>()
  for (const { name: of, labels, value } of samples) {
    const { le, ...rest } = labels
    const key = JSON.stringify(Object.entries(rest).sort())
    const one = series.get(key) ?? { bounds: [], counts: [] }
    series.set(key, one)
    if (of.endsWith('_bucket')) {
      one.bounds.push(le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le))
      one.counts.push(value)
    } else if (of.endsWith('_sum')) one.sum = value
    else one.count = value
  }
  const grows = (numbers: number[], strictly: boolean) =>
    numbers.every(
      (value, index) =>
        index === 0 || (strictly ? value > (numbers[index - 1] ?? 0) : value >= (numbers[index - 1] ?? 0)),
    )
  for (const [key, { bounds, counts, count, sum }] of series) {
    const complete = bounds.at(-1) === Number.POSITIVE_INFINITY && counts.at(-1) === count && sum !== undefined
    if (!complete || !grows(bounds, true) || !grows(counts, false)) throw new Error(`${name} ${key} is no histogram`)
  }
}
