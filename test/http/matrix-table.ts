export const expectations: any[] = []
export const publicExpectations: Record<string, number> = {}
export const appExpectations: Record<string, number> = {}
export const bodies: Record<string, unknown> = {
  'write sys/policies/acl/:name+': { policy: 'path' },
  'write sys/namespaces/:path+': { custom_metadata: 5 },
  'write auth/token/roles/:name': { token_type: 'other' },
  'write keymgmt/key/:name': { type: 'other' },
  'write auth/approle/role/:role_name': { token_type: 'other' },
}
