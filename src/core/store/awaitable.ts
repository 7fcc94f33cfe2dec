/** Reads of a store may answer at once or later: SQLite does at once, a server will not. */
export type Awaitable<T> = T | Promise<T>
