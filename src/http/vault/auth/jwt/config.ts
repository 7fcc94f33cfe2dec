import { z } from 'zod'
import { present } from '../../decode.ts'
import { done } from '../../envelope.ts'
import { commaList, text } from '../../fields.ts'
import { doorRoute } from '../../route.ts'

export const config = doorRoute('config', {
  synopsis: 'Whose JWTs are taken.',
  description: `
One of oidc_discovery_url, jwks_url and jwt_validation_pubkeys. URLs are https, of hosts with public addresses or that the operator
allows; redirects are not followed. Write replaces all of it, once the keys could be read.`,
  read: {
    capability: 'read',
    answers: {
      data: z.object({
        bound_issuer: z.string(),
        default_role: z.string(),
        jwks_ca_pem: z.string(),
        jwks_url: z.string(),
        jwt_supported_algs: z.array(z.string()),
        jwt_validation_pubkeys: z.array(z.string()),
        oidc_client_id: z.string(),
        oidc_discovery_ca_pem: z.string(),
        oidc_discovery_url: z.string(),
        oidc_response_mode: z.string(),
        oidc_response_types: z.array(z.string()),
        provider_config: z.object({}),
      }),
    },
    handler: ({ core, door }) => {
      const found = core.doors.jwt.config(door)
      return (
        found && {
          data: {
            bound_issuer: found.boundIssuer,
            default_role: found.defaultRole,
            jwks_ca_pem: found.jwksCaPem,
            jwks_url: found.jwksUrl,
            jwt_supported_algs: found.supportedAlgs,
            jwt_validation_pubkeys: found.validationPubkeys,
            oidc_client_id: '',
            oidc_discovery_ca_pem: found.oidcDiscoveryCaPem,
            oidc_discovery_url: found.oidcDiscoveryUrl,
            oidc_response_mode: '',
            oidc_response_types: [],
            provider_config: {},
          },
        }
      )
    },
  },
  write: {
    capability: 'update',
    body: z.object({
      oidc_discovery_url: text('The issuer; its document is at <issuer>/.well-known/openid-configuration.'),
      oidc_discovery_ca_pem: text('Certificates to trust instead of the usual ones.'),
      jwks_url: text('A JWKS.'),
      jwks_ca_pem: text('Certificates to trust instead of the usual ones.'),
      jwt_validation_pubkeys: commaList('Public keys, PEM.'),
      bound_issuer: text('The only value of iss that is taken.'),
      jwt_supported_algs: commaList('The algorithms that are taken; all asymmetric ones unless told.'),
      default_role: text('The role of logins that name none.'),
      oidc_client_id: text('Not used: there is no login through a browser.'),
      oidc_client_secret: text('Not used, and not kept.'),
    }),
    handler: async ({ core, door }, _, body) => {
      const input = present({
        oidcDiscoveryUrl: body.oidc_discovery_url,
        oidcDiscoveryCaPem: body.oidc_discovery_ca_pem,
        jwksUrl: body.jwks_url,
        jwksCaPem: body.jwks_ca_pem,
        validationPubkeys: body.jwt_validation_pubkeys,
        boundIssuer: body.bound_issuer,
        supportedAlgs: body.jwt_supported_algs,
        defaultRole: body.default_role,
      })
      await core.doors.jwt.configure(door, input)
      const browser = body.oidc_client_id || body.oidc_client_secret
      return done(browser ? ['oidc_client_id and oidc_client_secret are not used: there is no login by browser'] : [])
    },
  },
})
