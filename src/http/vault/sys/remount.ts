import { z } from 'zod'
import { invalid, KeyferryError } from '../../../core/errors.ts'
import { required } from '../auth/lookup.ts'
import { text } from '../fields.ts'
import { systemRoute } from '../route.ts'

export const remount = systemRoute('remount', {
  synopsis: 'Give a mount another path.',
  description: `
Within its namespace, with all that is in it, at once: whoever asks for the migration finds that it has succeeded. Policies are by path,
and are not changed. Ways to log in cannot be moved. Needs sudo.`,
  write: {
    capability: 'sudo',
    body: z.object({ from: text('The path that it has.'), to: text('The path that it gets.') }),
    answers: { data: z.object({ migration_id: z.string() }), repeat: true },
    handler: async ({ core, namespace }, _, input) => {
      const [from, to] = [required('from', input.from), required('to', input.to)]
      for (const path of [from, to]) {
        if (path.replace(/^\/+/, '').startsWith('auth/'))
          throw invalid('ways to log in cannot be moved: enable another')
      }
      try {
        const { id } = await core.mounts.move(namespace.id, from, to)
        return { data: { migration_id: id }, repeat: true }
      } catch (error) {
        if (error instanceof KeyferryError && error.code === 'not_found') throw invalid(error.message)
        throw error
      }
    },
  },
})

export const remountStatus = systemRoute('remount/status/:id', {
  synopsis: 'How a migration stands.',
  description: 'Of those that this process made lately. Since a mount is moved at once, it has succeeded.',
  read: {
    capability: 'read',
    answers: {
      data: z.object({
        migration_id: z.string(),
        migration_info: z.object({
          source_mount: z.string(),
          target_mount: z.string(),
          status: z.literal('success'),
        }),
      }),
      repeat: true,
    },
    handler: ({ core, namespace }, { id }) => {
      const move = core.mounts.moved(namespace.id, id)
      if (!move) return undefined
      const info = { source_mount: move.from, target_mount: move.to, status: 'success' }
      return { data: { migration_id: id, migration_info: info }, repeat: true }
    },
  },
})
