const seconds: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 }

/**
 * A duration as Vault's parseutil reads it: a number (or string of one) of seconds, or Go's form (`1h0m0s`, `90m`, `1.5h`), with `d` for
 * days; an empty string and `system` are 0, the system's default. Gives whole seconds; undefined when it is none, or negative.
 */
export function parseDuration(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? Math.floor(value) : undefined
  if (typeof value !== 'string') return undefined
  const text = value.trim()
  if (text === '' || text === 'system') return 0
  if (/^\d{1,12}$/.test(text)) return Number(text)
  if (!/^(?:\d{1,12}(?:\.\d{1,9})?(?:ms|s|m|h|d))+$/.test(text)) return undefined
  let total = 0
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ms|s|m|h|d)/g)) {
    total += Number(amount) * (seconds[unit ?? ''] ?? 0)
  }
  return Math.floor(total)
}
