import type { Asked } from './asked.ts'

/**
 * What Vault's own metrics have too, under the names that these have in Prometheus' format, for dashboards and rules that are there. Only
 * what means the same here.
 */
export const asVault: readonly Asked[] = [
  {
    name: 'vault_kmse_key_count',
    help: 'As in Vault (kmse.key.count): keys of all Key Management mounts.',
    type: 'gauge',
    read: ({ figures }) => figures.store.objects.keys,
  },
  {
    name: 'vault_core_unsealed',
    help: 'As in Vault: 1 where the gateway has its root key.',
    type: 'gauge',
    read: () => 1,
  },
  {
    name: 'vault_core_in_flight_requests',
    help: 'As in Vault: requests that are being answered.',
    type: 'gauge',
    read: ({ requests }) => requests.inFlight,
  },
  {
    name: 'vault_core_handle_request_count',
    help: 'As in Vault’s summary of this name: requests that were answered.',
    type: 'counter',
    read: ({ requests }) => requests.handled,
  },
  {
    name: 'vault_core_handle_request_sum',
    help: 'As in Vault’s summary of this name: how long they took in all, in ms.',
    type: 'counter',
    read: ({ requests }) => requests.handledMs,
  },
  {
    name: 'vault_core_response_status_code',
    help: 'As in Vault: answers by status ("code") and class ("type").',
    type: 'counter',
    labels: ['code', 'type'],
    read: ({ requests }) =>
      requests.answered.map(({ status, count }) => ({
        labels: { code: status, type: `${status.slice(0, 1)}xx` },
        value: count,
      })),
  },
  {
    name: 'vault_audit_log_request_failure',
    help: 'As in Vault: requests that no audit sink took.',
    type: 'counter',
    read: ({ figures }) => figures.audit.lost.request,
  },
  {
    name: 'vault_audit_log_response_failure',
    help: 'As in Vault: answers that no audit sink took.',
    type: 'counter',
    read: ({ figures }) => figures.audit.lost.response,
  },
]
