/** Settings before they are checked. */
export type Tree = { [name: string]: unknown }

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The upper one's settings win, one by one. */
export function merge(lower: Tree, upper: Tree): Tree {
  const result: Tree = { ...lower }
  for (const [name, value] of Object.entries(upper)) {
    const below = result[name]
    result[name] = isTree(below) && isTree(value) ? merge(below, value) : value
  }
  return result
}

/** What is at a path; undefined where nothing is. */
export function valueAt(tree: unknown, path: readonly PropertyKey[]): unknown {
  let value = tree
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Record<PropertyKey, unknown>)[name]
  }
  return value
}

/** A copy with a value at a path; undefined: without what is there. */
export function withValue(tree: Tree, [name = '', ...rest]: readonly string[], value: unknown): Tree {
  const { [name]: present, ...others } = tree
  if (value === undefined && rest.length > 0 && !isTree(present)) return tree
  const inner = rest.length === 0 ? value : withValue(isTree(present) ? present : {}, rest, value)
  return inner === undefined ? others : { ...others, [name]: inner }
}

/** The settings of a tree, each with its path. A list is one setting. */
export function flatten(tree: Tree, path: readonly string[] = []): [path: string[], value: unknown][] {
  return Object.entries(tree).flatMap(([name, value]): [string[], unknown][] => {
    const at = [...path, name]
    return isTree(value) ? flatten(value, at) : value === undefined ? [] : [[at, value]]
  })
}
