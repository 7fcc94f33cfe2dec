import { z } from 'zod'
import { normalisePolicyName } from '../../../core/access/policy/names.ts'
import { invalid, KeyferryError } from '../../../core/errors.ts'
import type { Answers } from '../answers.ts'
import { listOf } from '../envelope.ts'
import { createOrUpdate } from '../existence.ts'
import { text } from '../fields.ts'
import { pageOf } from '../query.ts'
import { type SystemCall, systemRoute } from '../route.ts'

const description = `
A policy says what tokens that have it may do, by path: HCL as the command line sends it, or JSON. "+" stands for one part of a path, "*"
at its end for the rest. The pattern that fits best decides alone; "deny" in it wins.`

export const policies = systemRoute('policies/acl', {
  synopsis: 'List the policies of this namespace.',
  description,
  list: {
    capability: 'list',
    handler: async ({ core, namespace }, _, page) => listOf(pageOf(await core.policies.names(namespace), page)),
  },
})

const oldNames: Answers = {
  data: z.object({ keys: z.array(z.string()), policies: z.array(z.string()) }),
  repeat: true,
}

/** The old path, which older command lines use: `read` lists too. */
export const oldPolicies = systemRoute('policy', {
  synopsis: 'List the policies of this namespace (the old path).',
  description,
  read: {
    capability: 'read',
    answers: oldNames,
    handler: async ({ core, namespace }) => {
      const names = await core.policies.names(namespace)
      return { data: { keys: names, policies: names }, repeat: true }
    },
  },
  list: {
    capability: 'list',
    answers: oldNames,
    handler: async ({ core, namespace }) => {
      const names = await core.policies.names(namespace)
      return { data: { keys: names, policies: names }, repeat: true }
    },
  },
})

export const policy = policyRoute('policies/acl/:name+', 'policy')
export const oldPolicy = policyRoute('policy/:name+', 'rules')

function policyRoute(path: 'policies/acl/:name+' | 'policy/:name+', textField: 'policy' | 'rules') {
  return systemRoute(path, {
    synopsis: 'Read, write and delete a policy.',
    description,
    read: {
      capability: 'read',
      answers: { data: z.object({ name: z.string(), [textField]: z.string() }) },
      handler: async (call, { name }) => {
        const rules = await find(call, name)
        return rules === undefined ? undefined : { data: { name: normalisePolicyName(name), [textField]: rules } }
      },
    },
    write: {
      capability: (call, { name }) => createOrUpdate(call.core.policies.read(call.namespace, name)),
      body: z.object({
        policy: text('The policy, in HCL or JSON; base64 of it is taken too.'),
        rules: text('The old name of policy.'),
      }),
      handler: async ({ core, namespace }, { name }, input) => {
        const rules = input.policy ?? input.rules
        if (rules === undefined || rules === '') throw invalid("'policy' parameter not supplied or empty")
        await core.policies.put(namespace, name, decoded(rules))
        return undefined
      },
    },
    delete: {
      capability: 'delete',
      handler: async ({ core, namespace }, { name }) => {
        await core.policies.remove(namespace, name)
        return undefined
      },
    },
  })
}

async function find({ core, namespace }: SystemCall, name: string): Promise<string | undefined> {
  try {
    return await core.policies.read(namespace, name)
  } catch (error) {
    if (error instanceof KeyferryError && error.code === 'not_found') return undefined
    throw error
  }
}

/** Vault takes a policy in base64 as well. */
function decoded(rules: string): string {
  if (!/^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(rules)) return rules
  const bytes = Buffer.from(rules, 'base64').toString('utf8')
  return bytes.includes('path') ? bytes : rules
}
