import { resolve } from 'node:path'
import type { Settings } from '../config/settings.ts'
import type { AuditOptions } from '../core/audit/service.ts'
import { fileSink, type Sink, stdoutSink } from '../core/audit/sink.ts'

/** Where the settings say that the audit log goes; undefined: nowhere. */
export function auditOptions(settings: Settings['audit']): AuditOptions | undefined {
  const sinks: Sink[] = []
  if (settings?.file !== undefined) sinks.push(fileSink(resolve(settings.file)))
  if (settings?.stdout) sinks.push(stdoutSink())
  return sinks.length === 0 ? undefined : { sinks, elideListResponses: settings?.elideListResponses ?? false }
}
