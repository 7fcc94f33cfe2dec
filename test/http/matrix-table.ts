/**
 * What every route asks for and answers: the table that makes an endpoint reachable. A line is an operation, a route, the capability, and
 * the status for whoever has just that, in a namespace without anything named "x", with the body below or an empty one.
 */
const table = `
read   sys/audit                                              sudo          200
write  sys/audit-hash/:path                                   update        400
read   sys/auth                                               read          200
read   sys/auth/:path+                                        sudo          400
write  sys/auth/:path+                                        sudo          400
delete sys/auth/:path+                                        sudo          204
read   sys/auth/:path+/tune                                   sudo          400
write  sys/auth/:path+/tune                                   sudo          400
read   sys/mounts/auth/:path+                                 read          400
read   sys/mounts/auth/:path+/tune                            read          400
write  sys/mounts/auth/:path+/tune                            update        400
read   sys/mounts                                             read          200
read   sys/mounts/:path+                                      read          400
write  sys/mounts/:path+                                      update        400
delete sys/mounts/:path+                                      delete        204
read   sys/mounts/:path+/tune                                 read          400
write  sys/mounts/:path+/tune                                 update        400
write  sys/remount                                            sudo          400
read   sys/remount/status/:id                                 read          404
list   sys/operation                                          list          404
read   sys/operation/:id                                      read          404
write  sys/operation/:id/retry                                update        400
read   sys/internal/ui/mounts                                 read          200
read   sys/internal/ui/mounts/:path+                          read          403
list   sys/policies/acl                                       list          200
read   sys/policies/acl/:name+                                read          404
write  sys/policies/acl/:name+                                create|update 400
delete sys/policies/acl/:name+                                delete        204
read   sys/policy                                             read          200
list   sys/policy                                             list          200
read   sys/policy/:name+                                      read          404
write  sys/policy/:name+                                      create|update 400
delete sys/policy/:name+                                      delete        204
write  sys/capabilities                                       update        400
write  sys/capabilities-self                                  update        400
write  sys/capabilities-accessor                              update        400
list   sys/namespaces                                         list          200
read   sys/namespaces/:path+                                  read          404
write  sys/namespaces/:path+                                  create|update 400
patch  sys/namespaces/:path+                                  patch         400
delete sys/namespaces/:path+                                  delete        200
write  sys/wrapping/lookup                                    update        400
write  sys/wrapping/unwrap                                    update        400
write  sys/wrapping/wrap                                      update        200
list   sys/quotas/rate-limit                                  list          404
read   sys/quotas/rate-limit/:name                            read          404
write  sys/quotas/rate-limit/:name                            update        400
delete sys/quotas/rate-limit/:name                            delete        204
write  sys/rotate                                             sudo          204
read   sys/rotate/signing-key                                 sudo          404
write  sys/rotate/signing-key                                 sudo          404
read   sys/license/status                                     read          200
read   sys/metrics                                            read          404
read   sys/internal/specs/openapi                             read          200
write  auth/token/create                                      update        200
write  auth/token/create-orphan                               sudo          200
write  auth/token/create/:role                                update        400
read   auth/token/lookup                                      read          200
write  auth/token/lookup                                      update        200
read   auth/token/lookup-self                                 read          200
write  auth/token/lookup-accessor                             update        400
list   auth/token/accessors                                   sudo          200
write  auth/token/renew                                       update        400
write  auth/token/renew-self                                  update        200
write  auth/token/renew-accessor                              update        400
write  auth/token/revoke                                      update        400
write  auth/token/revoke-self                                 update        204
write  auth/token/revoke-accessor                             update        400
write  auth/token/revoke-orphan                               sudo          400
list   auth/token/roles                                       list          404
read   auth/token/roles/:name                                 read          404
write  auth/token/roles/:name                                 create|update 400
delete auth/token/roles/:name                                 delete        204
list   keymgmt/key                                            list          404
read   keymgmt/key/:name                                      read          404
write  keymgmt/key/:name                                      create|update 400
delete keymgmt/key/:name                                      delete        204
write  keymgmt/key/:name/rotate                               update        400
list   keymgmt/key/:name/kms                                  list          404
list   keymgmt/kms                                            list          404
read   keymgmt/kms/:name                                      read          404
write  keymgmt/kms/:name                                      create|update 400
delete keymgmt/kms/:name                                      delete        204
read   keymgmt/kms/:name/diagnose                             read          404
write  keymgmt/kms/:name/kek/rotate                           update        400
list   keymgmt/kms/:name/key                                  list          404
read   keymgmt/kms/:name/key/:key_name                        read          404
write  keymgmt/kms/:name/key/:key_name                        update        400
delete keymgmt/kms/:name/key/:key_name                        delete        204
write  keymgmt/kms/:name/key/:key_name/replicate              update        400
write  keymgmt/kms/:name/reconcile                            update        400
list   keymgmt/operation                                      list          404
read   keymgmt/operation/:id                                  read          404
write  keymgmt/operation/:id/retry                            update        400
write  keymgmt/operation/:id/cancel                           update        400
list   auth/approle/role                                      list          404
read   auth/approle/role/:role_name                           read          404
write  auth/approle/role/:role_name                           create|update 400
delete auth/approle/role/:role_name                           delete        204
read   auth/approle/role/:role_name/role-id                   read          404
write  auth/approle/role/:role_name/role-id                   update        400
read   auth/approle/role/:role_name/policies                  read          404
write  auth/approle/role/:role_name/policies                  update        400
delete auth/approle/role/:role_name/policies                  delete        400
read   auth/approle/role/:role_name/bind-secret-id            read          404
write  auth/approle/role/:role_name/bind-secret-id            update        400
delete auth/approle/role/:role_name/bind-secret-id            delete        400
read   auth/approle/role/:role_name/secret-id-bound-cidrs     read          404
write  auth/approle/role/:role_name/secret-id-bound-cidrs     update        400
delete auth/approle/role/:role_name/secret-id-bound-cidrs     delete        400
read   auth/approle/role/:role_name/secret-id-num-uses        read          404
write  auth/approle/role/:role_name/secret-id-num-uses        update        400
delete auth/approle/role/:role_name/secret-id-num-uses        delete        400
read   auth/approle/role/:role_name/secret-id-ttl             read          404
write  auth/approle/role/:role_name/secret-id-ttl             update        400
delete auth/approle/role/:role_name/secret-id-ttl             delete        400
read   auth/approle/role/:role_name/token-bound-cidrs         read          404
write  auth/approle/role/:role_name/token-bound-cidrs         update        400
delete auth/approle/role/:role_name/token-bound-cidrs         delete        400
read   auth/approle/role/:role_name/token-num-uses            read          404
write  auth/approle/role/:role_name/token-num-uses            update        400
delete auth/approle/role/:role_name/token-num-uses            delete        400
read   auth/approle/role/:role_name/token-ttl                 read          404
write  auth/approle/role/:role_name/token-ttl                 update        400
delete auth/approle/role/:role_name/token-ttl                 delete        400
read   auth/approle/role/:role_name/token-max-ttl             read          404
write  auth/approle/role/:role_name/token-max-ttl             update        400
delete auth/approle/role/:role_name/token-max-ttl             delete        400
read   auth/approle/role/:role_name/period                    read          404
write  auth/approle/role/:role_name/period                    update        400
delete auth/approle/role/:role_name/period                    delete        400
list   auth/approle/role/:role_name/secret-id                 list          404
write  auth/approle/role/:role_name/secret-id                 update        400
write  auth/approle/role/:role_name/custom-secret-id          update        400
write  auth/approle/role/:role_name/secret-id/lookup          update        400
write  auth/approle/role/:role_name/secret-id/destroy         update        400
write  auth/approle/role/:role_name/secret-id-accessor/lookup update        400
write  auth/approle/role/:role_name/secret-id-accessor/destroy update        400
write  auth/approle/tidy/secret-id                            update        204
read   auth/jwt/config                                        read          404
write  auth/jwt/config                                        update        400
list   auth/jwt/role                                          list          404
read   auth/jwt/role/:name                                    read          404
write  auth/jwt/role/:name                                    create|update 400
delete auth/jwt/role/:name                                    delete        204
`

export const expectations = table
  .trim()
  .split('\n')
  .map((line) => {
    const [operation = '', route = '', capability = '', status] = line.split(/\s+/)
    return { operation, route, capability, status: Number(status) }
  })

/** Bodies where an empty one would make something. */
export const bodies: Readonly<Record<string, unknown>> = {
  'write sys/policies/acl/:name+': { policy: 'path' },
  'write sys/namespaces/:path+': { custom_metadata: 5 },
  'write auth/token/roles/:name': { token_type: 'other' },
  'write keymgmt/key/:name': { type: 'other' },
  'write auth/approle/role/:role_name': { token_type: 'other' },
}

/** Where a root token of the root namespace is answered otherwise: it is itself no token of the namespace. */
export const operatorExceptions: Readonly<Record<string, number>> = { 'write auth/token/lookup': 403 }

/** Open to everybody, at this path and no other. */
export const publicExpectations: Readonly<Record<string, number>> = {
  'sys/health': 200,
  'sys/seal-status': 200,
  'sys/init': 200,
  'sys/leader': 200,
}

/** All that the app serves, and the status without any credentials. */
export const appExpectations: Readonly<Record<string, number>> = {
  'ALL /v1/*': 403,
  'GET /metrics': 403,
  'POST /oauth/token': 401,
  'POST /oauth/introspect': 401,
  'POST /oauth/revoke': 401,
  'GET /oauth/jwks': 200,
  'GET /.well-known/oauth-authorization-server': 200,
  'ALL /oauth/*': 400,
  'GET /openapi.json': 200,
  'GET /docs': 200,
  'GET /docs/page.css': 200,
  'GET /docs/page.js': 200,
}
