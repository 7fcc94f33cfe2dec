import type * as z from 'zod'
import { oneOf } from '../core/errors.ts'
import { didYouMean } from './nearest.ts'
import { namesAt } from './schema.ts'
import { settingsSchema } from './settings.ts'
import { isTree, type Tree, valueAt, withValue } from './tree.ts'

/** Something that is wrong with a setting. */
export interface Problem {
  /** Of the setting; empty where it is about all of them. */
  path: readonly PropertyKey[]
  /** Says what is wrong and what is allowed. */
  sentence: string
}

/** What of a tree can be used, and all that is wrong with the rest. `place` names a setting as it was written. */
export function checkTree(
  tree: unknown,
  place: (path: readonly PropertyKey[]) => string,
): { good: Tree; problems: Problem[] } {
  // A place that says nothing, as most do: a start should not take longer for it.
  if (isTree(tree) && Object.keys(tree).length === 0) return { good: tree, problems: [] }
  const result = settingsSchema.safeParse(tree)
  const hidden = prototypes(tree).map((path) => unknownSetting(path, place))
  if (!isTree(tree)) {
    const sentence = `${place([])}the configuration must be one object of settings, not ${described(tree)}`
    return { good: {}, problems: [{ path: [], sentence }] }
  }
  if (result.success && hidden.length === 0) return { good: tree, problems: [] }
  const found = (result.error?.issues ?? []).flatMap((issue) => problemsOf(issue, tree, place))
  const problems = firstOfEach([...found, ...hidden])
  const good = problems.reduce<Tree>((rest, { path }) => withValue(rest, settingOf(tree, path), undefined), tree)
  return { good, problems }
}

function problemsOf(issue: z.core.$ZodIssue, tree: Tree, place: (path: readonly PropertyKey[]) => string): Problem[] {
  const { path } = issue
  if (issue.code === 'unrecognized_keys') return issue.keys.map((name) => unknownSetting([...path, name], place))
  if (valueAt(tree, path) === null) {
    return [{ path, sentence: `${place(path)} is empty: give it a value, or take it out` }]
  }
  if (issue.code === 'invalid_value') {
    return [{ path, sentence: `${place(path)} must be ${oneOf(issue.values.map(String))}` }]
  }
  if (issue.code === 'invalid_key') return [{ path, sentence: `${place(path)}: its name ${issue.issues[0]?.message}` }]
  const problem = issue.message.startsWith('must ') ? issue.message : `is not allowed: ${issue.message}`
  return [{ path, sentence: `${place(path)} ${problem}` }]
}

function unknownSetting(path: readonly PropertyKey[], place: (path: readonly PropertyKey[]) => string): Problem {
  const known = namesAt(path.slice(0, -1))
  const near = didYouMean(String(path.at(-1)), known)
  const allowed = known.length === 0 ? '' : `: known here are ${oneOf(known)}`
  return { path, sentence: `${place(path)} is no setting${near}${allowed}` }
}

/** Where a setting is called `__proto__`, which zod passes over in an object whose names are free. */
function prototypes(tree: unknown, path: readonly PropertyKey[] = []): PropertyKey[][] {
  if (typeof tree !== 'object' || tree === null) return []
  return Object.entries(tree).flatMap(([name, value]) =>
    name === '__proto__' ? [[...path, name]] : prototypes(value, [...path, name]),
  )
}

/** The path of a setting: that of the whole list, where it is an entry that is wrong. */
function settingOf(tree: Tree, path: readonly PropertyKey[]): string[] {
  const entry = path.findIndex((_, index) => Array.isArray(valueAt(tree, path.slice(0, index))))
  return (entry === -1 ? path : path.slice(0, entry)).map(String)
}

/** One problem is enough for a setting. */
function firstOfEach(problems: readonly Problem[]): Problem[] {
  const known = new Set<string>()
  return problems.filter(({ path }) => {
    const name = JSON.stringify(path.map(String))
    return !known.has(name) && known.add(name)
  })
}

function described(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`
}
