import { createContext, runInContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openApiDocument } from '../../src/http/openapi/document.ts'
import { type Gateway, gateway } from '../http/gateway.ts'

let vault: Gateway
beforeAll(async () => {
  vault = await gateway()
})
afterAll(() => vault.close())

const get = async (path: string) => await vault.app.request(`http://gateway${path}`)

describe('/docs', () => {
  it('needs nothing from elsewhere, and may do nothing else', async () => {
    const page = await get('/docs')
    const text = await page.text()
    expect(page.headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
    const links = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link)
    expect(links).toEqual(['/docs/page.css', '/docs/page.js', '/openapi.json'])
    for (const link of links) expect((await get(link ?? '')).status).toBe(200)
    expect(text).not.toMatch(/<script>|<style|\son\w+=|style=/)
    expect((await get('/docs/page.js')).headers.get('content-type')).toBe('text/javascript; charset=utf-8')
    expect((await get('/docs/other')).status).toBe(404)
  })

  it('writes text alone into the page', async () => {
    expect(await (await get('/docs/page.js')).text()).not.toMatch(
      /innerHTML|outerHTML|insertAdjacent|document\.write|eval|localStorage/,
    )
  })
})

/** As much of a browser's element as the page uses. */
class Element {
  [property: string]: unknown
  readonly children: (Element | string)[] = []
  readonly listeners: Record<string, () => unknown> = {}
  readonly name: string

  constructor(name: string) {
    this.name = name
  }

  append(...children: (Element | string)[]): void {
    this.children.push(...children)
  }

  addEventListener(event: string, listener: () => unknown): void {
    this.listeners[event] = listener
  }

  /** All below, in order. */
  all(name: string): Element[] {
    return this.children.flatMap((child) =>
      typeof child === 'string' ? [] : [...(child.name === name ? [child] : []), ...child.all(name)],
    )
  }
}

/** Runs the page's script with the app behind its `fetch`. */
async function open() {
  const elements = new Map<string, Element>(
    ['token', 'namespace', 'about', 'version', 'operations'].map((id) => [
      id,
      Object.assign(new Element('x'), { value: '' }),
    ]),
  )
  const sent: string[] = []
  const document = {
    getElementById: (id: string) => elements.get(id),
    createElement: (name: string) => new Element(name),
  }
  const fetch = async (target: string, init?: RequestInit) => {
    sent.push(`${init?.method ?? 'GET'} ${target}`)
    return await vault.app.request(`http://gateway${target}`, init)
  }
  runInContext(await (await get('/docs/page.js')).text(), createContext({ document, fetch, URLSearchParams }))
  const operations = elements.get('operations') as Element
  await expect.poll(() => operations.children.length).toBe(6)
  const operation = (id: string) => {
    const found = operations.all('details').find((one) => one.id === id)
    if (!found) throw new Error(`no ${id}`)
    found.listeners.toggle?.()
    const field = (name: string) =>
      found
        .all('label')
        .find((label) => label.all('code')[0]?.textContent === name)
        ?.all('input')[0] as Element
    const send = async () => {
      await found.all('button')[0]?.listeners.click?.()
      return String(found.all('pre')[0]?.textContent)
    }
    return { found, field, send }
  }
  return { elements, operations, operation, sent }
}

describe('the page', () => {
  it('shows every operation', async () => {
    const { operations, elements } = await open()
    const ids = Object.values(openApiDocument('1.2.3').paths).flatMap((item) =>
      Object.values(item).map((operation) => operation.operationId),
    )
    expect(
      operations
        .all('details')
        .map(({ id }) => id)
        .sort(),
    ).toEqual([...ids].sort())
    expect(elements.get('version')?.textContent).toBe('1.2.3')
  })

  it('sends what is filled in, and shows the answer', async () => {
    const { elements, operation, sent } = await open()
    const token = elements.get('token') as Element
    token.value = vault.rootToken
    const write = operation('key-management-write-key')
    write.field('name').value = 'a b'
    expect(await write.send()).toContain('POST /v1/keymgmt/key/a%20b\n400\n')
    write.field('name').value = 'tried'
    const area = write.found.all('textarea')[0] as Element
    expect(JSON.parse(String(area.value))).toMatchObject({
      type: 'rsa-2048',
      deletion_allowed: false,
      min_enabled_version: 0,
      replica_regions: [],
    })
    area.value = '{"type":"ecdsa-p256"}'
    expect(await write.send()).toBe('POST /v1/keymgmt/key/tried\n204\n')

    const list = operation('key-management-list-key')
    expect(await list.send()).toMatch(/^GET \/v1\/keymgmt\/key\/\?list=true\n200\n[\s\S]*"tried"/)
    const mount = operation('system-read-mounts-by-path')
    mount.field('path').value = 'deep/er'
    await mount.send()
    expect(sent.at(-1)).toBe('GET /v1/sys/mounts/deep/er')
    token.value = ''
    expect(await list.send()).toContain('\n403\n')
  })
})
