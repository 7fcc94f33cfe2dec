import type { z } from 'zod'
import type { AuthMountRow, Awaitable, NamespaceRow } from '../../../core/store.ts'
import type { Answers } from '../answers.ts'
import { decodeFields } from '../decode.ts'
import type { Answer } from '../envelope.ts'
import { ignoredFields, knownFields, withWarnings } from '../ignored.ts'
import type { DoorCall, PublicCall, Route, RouteText, Sent } from '../route.ts'

/** A login: nobody knows yet who it is. */
export interface LoginCall extends PublicCall {
  namespace: NamespaceRow
  door: AuthMountRow
  remoteAddress: string | undefined
}

/** The one path of a door that needs no token. */
export interface LoginRoute extends RouteText {
  path: 'login'
  unauthenticated: true
  body: z.ZodType
  answers: Answers
  run(call: LoginCall, sent: Sent): Awaitable<Answer>
}

/** All that a type of auth mount serves. */
export interface DoorRoutes {
  login: LoginRoute
  routes: readonly Route<DoorCall>[]
}

export function loginRoute<B extends z.ZodType>(
  definition: RouteText & { body: B; handler(call: LoginCall, input: z.output<B>): Awaitable<Answer> },
): LoginRoute {
  const { synopsis, description, body, handler } = definition
  const known = knownFields(body)
  return {
    path: 'login',
    unauthenticated: true,
    synopsis,
    description,
    body,
    answers: { auth: true },
    run: (call, sent) =>
      withWarnings(handler(call, decodeFields(body, sent.body)), ignoredFields(known, {}, sent.body)),
  }
}
