/** One line of the table. */
export interface Figure {
  what: string
  /** In `unit`; undefined where it could not be measured, for the reason in `note`. */
  value: number | undefined
  unit: string
  /** What it must not be over, or under. */
  bar?: { atMost: number } | { atLeast: number }
  /** What OpenBao does on a machine of the same kind (openbao.ts). */
  openBao?: string
  note?: string
}

export function verdict({ value, bar }: Figure): 'ok' | 'over' | '' {
  if (bar === undefined || value === undefined) return ''
  const kept = 'atMost' in bar ? value <= bar.atMost : value >= bar.atLeast
  return kept ? 'ok' : 'over'
}

/** The figures as a Markdown table, its columns padded for reading in a terminal. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.what,
    barText(figure),
    figure.openBao ?? '',
    hereText(figure),
    verdict(figure),
  ])
  const head = ['what', 'bar', 'OpenBao', 'here', '']
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

function barText({ bar, unit }: Figure): string {
  if (bar === undefined) return ''
  return 'atMost' in bar ? `≤ ${withUnit(bar.atMost, unit)}` : `≥ ${withUnit(bar.atLeast, unit)}`
}

function hereText({ value, unit, note }: Figure): string {
  const shown = value === undefined ? '–' : withUnit(rounded(value), unit)
  return note === undefined ? shown : `${shown} (${note})`
}

function withUnit(value: number | string, unit: string): string {
  return unit === '×' ? `${value} ×` : `${value} ${unit}`.trimEnd()
}

/** Three digits that mean something. */
export function rounded(value: number): string {
  return value >= 100
    ? value.toFixed(0)
    : value >= 10
      ? value.toFixed(1)
      : value >= 1
        ? value.toFixed(2)
        : value.toFixed(3)
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN
}
