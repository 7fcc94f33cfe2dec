/**
 * Every block marked `sh` is run here, in order, as a newcomer would: in a folder that looks like a clone, with a gateway that was
 * started as README says. Those that cannot be run are marked `console` and listed with the reason; bash checks their syntax.
 */
export const notRun: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'README.md': {
    'npm ci && npm run demo':
      'installs, and would in the folder that this test runs in; the demo has a test of its own',
    'npm ci && npm test': 'is what runs this test',
    'npm start -- --env-file dev.env': 'runs until it is stopped; this test starts it',
    'npx keyferry serve --data ./data --listen 127.0.0.1:8200':
      'runs until it is stopped; test/commands/life.test.ts runs it',
    'npx keyferry emulator azurekeyvault': 'runs until it is stopped; test/commands/dev.test.ts runs it',
  },
  'docs/azure-setup.md': { '*': 'needs an Azure subscription and the az command line' },
  'docs/azure.md': { 'SDK_LIVES=5000': 'takes many minutes' },
  'docs/operations.md': { 'keyferry audit verify': 'needs a log with a past; test/commands/life.test.ts runs it' },
  'docs/binary.md': { '*': 'takes a minute, or installs; test/smoke/binary.smoke.ts does the same' },
  'docs/deno.md': { '*': 'runs until it is stopped, or takes a while; test/smoke/deno.smoke.ts runs it' },
  'docs/deploy.md': { '*': 'needs systemd or Docker, and installs; test/smoke/ tries the files and the way back' },
  'docs/performance.md': { '*': 'takes many minutes, and measures' },
  'docs/start.md': {
    './keyferry dev --env-file dev.env': 'runs until it is stopped; this test starts it, test/smoke/start.smoke.ts too',
    './keyferry serve --data ./keys': 'runs until it is stopped; test/commands/login.test.ts logs in',
  },
  'docs/migration.md': {
    '*': 'needs the Vault or Terraform command line, a Vault Enterprise or an Azure subscription',
  },
  'CONTRIBUTING.md': { 'npm ci\nnpm run dev': 'installs, and runs until it is stopped' },
}

/** Why a block is not run: one reason for each that is listed, none or several for a mistake in the list. */
export function reasonFor(file: string, text: string): string[] {
  const listed = Object.entries(notRun[file] ?? {})
  return listed.filter(([beginning]) => beginning === '*' || text.startsWith(beginning)).map(([, reason]) => reason)
}
