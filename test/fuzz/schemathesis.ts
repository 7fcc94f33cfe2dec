import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { once, run } from '../clients/tools.ts'

const requirements = join(import.meta.dirname, 'requirements.txt')

/** What a run found, from schemathesis' own report. */
export interface Report {
  /** Requests that were made and checked. */
  requests: number
  /** Operations that were tested, and those of them that took at least one request for good. */
  tested: number
  accepted: string[]
  /** Failed checks, and what stopped it from testing an operation: as they stand in the report. */
  failures: unknown[]
  errors: unknown[]
}

interface JsonReport {
  complete: boolean
  operations: { tested: number }
  test_cases: { generated: number }
  failures: unknown[]
  errors: unknown[]
  valid_rates: Record<string, Record<string, { accepted: number }>>
}

/** Installs schemathesis in a folder of its own, where that was not done before. Gives the path of its command. */
export async function schemathesis(): Promise<string> {
  const venv = await once('schemathesis', [requirements], async (folder) => {
    await run('python3', ['-m', 'venv', folder])
    await run(join(folder, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', '-r', requirements])
  })
  return join(venv, 'bin/st')
}

/** An answer is held to its declared status, type and schema, and none may be the server's fault. */
const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
  'response_headers_conformance',
]

/**
 * Sends requests made from a document, by all methods of schemathesis that need no knowledge of the API. `only` and `not`: ids of
 * operations. Throws, with what it said, when it did not get to its end.
 */
export async function fuzz(
  command: string,
  run: {
    folder: string
    document: string
    url: string
    token: string
    examples: number
    seed: number
    only?: readonly string[]
    not?: readonly string[]
  },
): Promise<Report> {
  const report = join(run.folder, `report-${run.seed}.json`)
  const args = [
    ...['run', run.document, '--url', run.url, '--header', `X-Vault-Token: ${run.token}`],
    ...['--checks', checks.join(','), '--phases', 'coverage,fuzzing', '--max-examples', String(run.examples)],
    ...['--seed', String(run.seed), '--continue-on-failure', '--no-color', '--warnings', 'off'],
    ...['--request-timeout', '60', '--suppress-health-check', 'all', '--generation-database', 'none'],
    ...['--report', 'json', '--report-json-path', report],
    ...(run.only ?? []).flatMap((id) => ['--include-operation-id', id]),
    ...(run.not ?? []).flatMap((id) => ['--exclude-operation-id', id]),
  ]
  const said = await output(command, args, run.folder)
  let read: JsonReport
  try {
    read = JSON.parse(readFileSync(report, 'utf8')) as JsonReport
  } catch (error) {
    throw new Error(`schemathesis left no report:\n${said}`, { cause: error })
  }
  if (!read.complete) throw new Error(`schemathesis did not get to its end:\n${said}`)
  return {
    requests: read.test_cases.generated,
    tested: read.operations.tested,
    accepted: Object.keys(read.valid_rates).filter((name) =>
      Object.values(read.valid_rates[name] ?? {}).some(({ accepted }) => accepted > 0),
    ),
    failures: read.failures,
    errors: read.errors,
  }
}

/** What a command says, whatever its exit code: that tells of failures too, which the report has. */
async function output(command: string, args: string[], cwd: string): Promise<string> {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await new Promise((ended, failed) => child.once('close', ended).once('error', failed))
  return said
}
