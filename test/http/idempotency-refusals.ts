/** What a request is told whose Idempotency-Key is in use. */
export const stillRuns = 'the first request with this Idempotency-Key still runs: ask again later'
export const reused = 'this Idempotency-Key was used for a request with another body: choose another'
