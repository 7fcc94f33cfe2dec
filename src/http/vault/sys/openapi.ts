import { z } from 'zod'
import { openApiDocument } from '../../openapi/document.ts'
import { systemRoute } from '../route.ts'

export const openApi = systemRoute('internal/specs/openapi', {
  synopsis: 'This API as OpenAPI 3.1.',
  description: 'The same document as /openapi.json, for clients that look for it where Vault has it.',
  read: {
    capability: 'read',
    answers: { raw: z.looseObject({ openapi: z.literal('3.1.0') }) },
    handler: ({ options }) => ({ raw: openApiDocument(options.version) }),
  },
})
