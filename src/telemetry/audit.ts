import { type Asked, byLabel } from './asked.ts'

/** The audit log. */
export const audit: readonly Asked[] = [
  {
    name: 'keyferry_audit_healthy',
    help: '1 where the last lines reached a sink, or where there is none to reach; 0: requests are refused.',
    type: 'gauge',
    read: ({ figures }) => Number(figures.audit.healthy),
  },
  {
    name: 'keyferry_audit_sinks',
    help: 'Sinks of the audit log, by whether they took their last lines.',
    type: 'gauge',
    labels: ['state'],
    read: ({ figures: { audit: of } }) => byLabel('state', { ok: of.sinks - of.failing, failing: of.failing }),
  },
  {
    name: 'keyferry_audit_lines_total',
    help: 'Lines that at least one sink took, by kind: of requests, of their answers, of calls to clouds.',
    type: 'counter',
    labels: ['kind'],
    read: ({ figures }) => byLabel('kind', figures.audit.recorded),
  },
  {
    name: 'keyferry_audit_failures_total',
    help: 'Lines that no sink took, so that the request was refused, or the call to a cloud not sent.',
    type: 'counter',
    labels: ['kind'],
    read: ({ figures }) => byLabel('kind', figures.audit.lost),
  },
]
