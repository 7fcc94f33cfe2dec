import { constants, Script } from 'node:vm'

/** What comes before and after the bundle (CommonJS, ASCII): Node's own frame around a module. */
export const frame = ['(function (exports, require, module, __filename, __dirname) {', '\n})'] as const

export interface Program<Exports> {
  /** Runs the bundle, and gives what it exports; `require` is for the modules that it does not hold. */
  run(require: (name: string) => unknown): Exports
  /** The compiled code of all functions that were called so far: what `compileProgram` takes in another process. */
  compiledCode(): Buffer
}

/** Compiles a framed bundle, out of `compiled` where that fits: the same text, V8 and V8's flags; else from the text. */
export function compileProgram<Exports>(text: string, compiled?: Uint8Array): Program<Exports> {
  const script = new Script(text, {
    filename: 'keyferry.cjs',
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(compiled && { cachedData: compiled }),
  })
  return {
    run(require) {
      const module = { exports: {} }
      const body = script.runInThisContext() as (...names: unknown[]) => void
      body(module.exports, require, module, process.execPath, '/')
      return module.exports as Exports
    },
    compiledCode: () => script.createCachedData(),
  }
}
