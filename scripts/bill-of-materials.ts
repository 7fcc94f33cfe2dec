import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import Database from 'better-sqlite3'
import type { Metafile } from 'esbuild'
import { version } from '../src/version.ts'
import { repository } from './bundle.ts'

/** Something that is inside the binary and was not made here. */
export interface Part {
  name: string
  version: string
  /** SPDX id or expression; undefined for what is only a part of Node, whose licence file covers it. */
  licence: string | undefined
  /** Package URL. */
  purl: string
  /** Texts of its licence and notices. */
  texts: string[]
}

/** Names in `process.versions` that are numbers of interfaces, not parts. */
const interfaces = ['modules', 'napi', 'node']

/** Packages that were bundled into others before they came here, so that esbuild does not see them. */
const carried: Readonly<Record<string, readonly string[]>> = {
  'node_modules/@azure/msal-node': ['node_modules/@azure/msal-common'],
}

/** What esbuild put into the bundles, the addon, and Node with its own parts; by name. Throws when a package does not say its licence. */
export function partsOf(bundles: readonly Metafile[]): Part[] {
  const folders = new Set<string>()
  for (const input of bundles.flatMap(({ inputs }) => Object.keys(inputs))) {
    const folder = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0]
    if (folder !== undefined) folders.add(relative(repository, realpathSync(join(repository, folder))))
  }
  const packages = [...folders, ...[...folders].flatMap((folder) => carried[folder] ?? [])].map(packagePart)
  const sqlite = new Database(':memory:').prepare('SELECT sqlite_version()').pluck().get() as string
  const nodes = Object.entries(process.versions).filter(([name]) => !interfaces.includes(name))
  const parts = [
    ...packages,
    generic('sqlite', sqlite, 'blessing'),
    { ...generic('node', process.versions.node, 'MIT'), texts: [nodeLicence()] },
    ...nodes.map(([name, its = '']) => generic(`node:${name}`, its, undefined)),
  ]
  return parts.sort((one, other) => (one.name < other.name ? -1 : 1))
}

function packagePart(folder: string): Part {
  const path = join(repository, folder)
  const manifest = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Partial<Record<string, string>>
  const { name = '', version = '', license: licence } = manifest
  if (typeof licence !== 'string') throw new Error(`${folder}/package.json names no licence`)
  const files = readdirSync(path).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file))
  const texts = files.sort().map((file) => readFileSync(join(path, file), 'utf8'))
  return { name, version, licence, purl: `pkg:npm/${name.replace('@', '%40')}@${version}`, texts }
}

/**
 * Node's licence, which has those of its own parts in it. The npm package `node` brings it along, in a package inside itself that every
 * later `npm install` takes away again: then it is fetched once more, and kept.
 */
function nodeLicence(): string {
  const name = `node-${process.platform}-${process.arch}`
  const brought = join(repository, 'node_modules/node/node_modules', name, 'LICENSE')
  if (existsSync(brought)) return readFileSync(brought, 'utf8')
  const cache = join(repository, 'node_modules/.cache/keyferry-build', `${name}-${process.versions.node}`)
  const kept = join(cache, 'package/LICENSE')
  if (!existsSync(kept)) {
    mkdirSync(cache, { recursive: true })
    const wanted = `${name}@${process.versions.node}`
    const file = execFileSync('npm', ['pack', '--silent', wanted], { cwd: cache, encoding: 'utf8' }).trim()
    execFileSync('tar', ['-xzf', file, 'package/LICENSE'], { cwd: cache })
    rmSync(join(cache, file))
  }
  return readFileSync(kept, 'utf8')
}

function generic(name: string, version: string, licence: string | undefined): Part {
  return { name, version, licence, purl: `pkg:generic/${name.replace('node:', '')}@${version}`, texts: [] }
}

/** A bill of materials in CycloneDX 1.6. `sha256`: of the binary, in hex. The same parts and binary give the same bill. */
export function billOfMaterials(parts: readonly Part[], sha256: string): unknown {
  const product = `pkg:generic/keyferry@${version}`
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(sha256)}`,
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': product,
        name: 'keyferry',
        version,
        purl: product,
        licenses: [{ license: { id: 'Apache-2.0' } }],
        hashes: [{ alg: 'SHA-256', content: sha256 }],
      },
    },
    components: parts.map(({ name, version, purl, licence }) => ({
      type: name === 'node' ? 'platform' : 'library',
      'bom-ref': `${purl}#${name}`,
      name,
      version,
      purl,
      ...(licence !== undefined && {
        licenses: [/[ ()]/.test(licence) ? { expression: licence } : { license: { id: licence } }],
      }),
    })),
    dependencies: [{ ref: product, dependsOn: parts.map(({ name, purl }) => `${purl}#${name}`) }],
  }
}

/** A UUID (version 8, RFC 9562) that is always the same for the same text. */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(`keyferry bill of materials ${text}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** The licences of all parts, as one text. Those of Node's own parts are in Node's. */
export function licencesOf(parts: readonly Part[]): string {
  const line = '='.repeat(100)
  const head = `Keyferry ${version} is under the Apache License 2.0. Inside its binary are the following.\n`
  const sections = parts
    .filter(({ licence }) => licence !== undefined)
    .map(({ name, version, licence, texts }) =>
      [line, `${name} ${version} (${licence})`, line, '', ...(texts.length > 0 ? texts : [missing(name)])].join('\n'),
    )
  return [head, ...sections, ''].join('\n')
}

function missing(name: string): string {
  return name === 'sqlite'
    ? 'SQLite is in the public domain: https://sqlite.org/copyright.html\n'
    : 'It comes without a licence file.\n'
}
