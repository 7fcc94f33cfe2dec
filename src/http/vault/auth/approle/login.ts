import { z } from 'zod'
import { invalid } from '../../../../core/errors.ts'
import { text } from '../../fields.ts'
import { authShape } from '../auth-shape.ts'
import { loginRoute } from '../door.ts'

export const login = loginRoute({
  synopsis: 'Log in by role id and secret id.',
  description: 'Five wrong secret ids lock the role for fifteen minutes; the answer stays the same.',
  body: z.object({ role_id: text('The role id.'), secret_id: text('The secret id, unless the role needs none.') }),
  handler: async ({ core, door, remoteAddress }, { role_id: roleId, secret_id: secretId = '' }) => {
    if (!roleId) throw invalid('missing role_id')
    const from = remoteAddress === undefined ? {} : { remoteAddress }
    const { token, row, warnings } = await core.doors.approleLogin.login(door, { roleId, secretId, ...from })
    return { data: null, auth: authShape(token, row, core.context.now()), warnings }
  },
})
