/** ms since 1970 as RFC 3339 in UTC. */
export function rfc3339(ms: number): string {
  return new Date(ms).toISOString()
}
