import { join } from 'node:path'
import { missingCommand, once, run } from './tools.ts'

/** Why packages of Python cannot be installed here, in words; undefined where they can. */
export const missingPython = () => missingCommand('python3', '-c', 'import venv, ensurepip')

/** A virtual environment with what a requirements file pins (by hash, where it has them), made once. Gives its folder. */
export async function pythonWith(name: string, requirements: string): Promise<string> {
  return await once(name, [requirements], async (folder) => {
    await run('python3', ['-m', 'venv', folder])
    const options = ['--quiet', '--disable-pip-version-check', '--only-binary=:all:']
    await run(join(folder, 'bin/pip'), ['install', ...options, '-r', requirements])
  })
}
