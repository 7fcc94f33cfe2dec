import { z } from 'zod'
import { text } from '../../fields.ts'
import { authShape } from '../auth-shape.ts'
import { loginRoute } from '../door.ts'
import { required } from '../lookup.ts'

export const login = loginRoute({
  synopsis: 'Log in by a JWT of the issuer that the mount is configured for.',
  description: 'What is wrong with a JWT is in the log of the gateway, and in no answer.',
  body: z.object({ jwt: text('The JWT.'), role: text("The role; the mount's default unless told.") }),
  handler: async ({ core, door, remoteAddress }, { jwt, role = '' }) => {
    const credentials = { jwt: required('jwt', jwt), role, ...(remoteAddress === undefined ? {} : { remoteAddress }) }
    const { token, row, warnings } = await core.doors.jwtLogin.login(door, credentials)
    return { data: null, auth: authShape(token, row, core.context.now()), warnings }
  },
})
