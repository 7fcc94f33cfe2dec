import type { AuditFigures } from './audit/figures.ts'
import type { KeyGeneratorStats } from './keys/pool.ts'
import type { StoreFigures } from './store.ts'

/** How a running gateway stands: what monitoring asks for, now and then. None of it costs more where there are more keys. */
export interface Figures {
  keyPool: KeyGeneratorStats
  audit: AuditFigures
  seal: {
    /** Data keys are being sealed under another root key. */
    rotatingRootKey: boolean
    /** Data keys that a newer one has replaced and that something may still be under. */
    replacedDataKeys: number
  }
  /** Restored from a backup: nothing is sent to any KMS until it is released. */
  held: boolean
  /** Copies that this process is at work on. */
  copiesInWork: number
  store: StoreFigures
}
