import type { Answer } from '../vault/envelope.ts'

/** Whether the caller would rather be answered at once than when all is done (RFC 7240, section 4.1). */
export function prefersAsync(headers: Headers): boolean {
  const text = headers.get('prefer')
  if (text === null) return false
  return text.split(',').some((one) => one.split(';', 1)[0]?.trim().toLowerCase() === 'respond-async')
}

/** 202 in place of an answer, where operations are still going on: the first of them is where to look. */
export function accepted(answer: Answer, operationIds: readonly string[], mountUrl: string): Answer {
  const [first] = operationIds
  if (first === undefined) return answer
  return {
    data: { operation_id: first, operation_ids: [...new Set(operationIds)] },
    ...(answer && 'warnings' in answer && answer.warnings ? { warnings: answer.warnings } : {}),
    status: 202,
    location: `${mountUrl}/operation/${first}`,
  }
}
