/**
 * What the page does in the browser: shows the document, and sends what is filled in. Everything is put in as text, never as markup; the
 * token stays in the page's memory.
 */
export const script = `'use strict'
const byId = (id) => document.getElementById(id)

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties)
  made.append(...children)
  return made
}

let api

function resolved(value) {
  if (!value || !value.$ref) return value
  return value.$ref.slice(2).split('/').reduce((at, part) => at[part], api)
}

/** A body to begin with: every field of the schema with an empty value of its type. */
function example(schema) {
  const { type, properties, enum: values } = resolved(schema) ?? {}
  if (properties) return Object.fromEntries(Object.entries(properties).map(([name, one]) => [name, example(one)]))
  if (values) return values[0]
  return { string: '', integer: 0, number: 0, boolean: false, array: [], object: {} }[type] ?? null
}

function fieldFor(parameter) {
  const { schema = {}, name, description, required } = parameter
  const value = schema.default ?? (required && schema.enum ? schema.enum[0] : '')
  const input = element('input', { value, placeholder: schema.type ?? '', title: description ?? '' })
  const label = element('label', {}, element('code', { textContent: name }), input)
  if (description) label.append(element('small', { textContent: description }))
  return { parameter, input, label }
}

/** The request that the fields say. A path parameter may hold slashes where it stands for several parts. */
function requestOf(path, method, fields, body) {
  const query = new URLSearchParams()
  const headers = {}
  if (byId('token').value) headers['X-Vault-Token'] = byId('token').value
  if (byId('namespace').value) headers['X-Vault-Namespace'] = byId('namespace').value
  let target = path
  for (const { parameter, input } of fields) {
    const { name } = parameter
    if (parameter.in === 'path') target = target.replace('{' + name + '}', input.value.split('/').map(encodeURIComponent).join('/'))
    else if (input.value !== '' && parameter.in === 'query') query.set(name, input.value)
    else if (input.value !== '') headers[name] = input.value
  }
  if (query.size > 0) target += '?' + query
  const init = { method: method.toUpperCase(), headers }
  if (body) {
    headers['Content-Type'] = body.type
    init.body = body.text
  }
  return [target, init]
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

function bodyOf(operation) {
  const [type, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? []
  if (!type) return undefined
  const fields = example(content.schema)
  const form = type === 'application/x-www-form-urlencoded'
  const value = form ? new URLSearchParams(fields).toString() : JSON.stringify(fields, null, 2)
  return { type, area: element('textarea', { value, rows: 8, spellcheck: false }), schema: resolved(content.schema) }
}

function meanings(schema) {
  const list = element('dl', {})
  for (const [name, one] of Object.entries(schema.properties ?? {})) {
    const { description, type, enum: values } = resolved(one)
    list.append(element('dt', {}, element('code', { textContent: name })))
    list.append(element('dd', { textContent: [type, values && values.join(' | '), description].filter(Boolean).join('. ') }))
  }
  return list
}

function operationView(path, method, operation) {
  const summary = element(
    'summary',
    {},
    element('b', { textContent: method.toUpperCase(), className: method }),
    element('code', { textContent: path }),
    element('span', { textContent: operation.summary ?? '' }),
  )
  const details = element('details', { id: operation.operationId }, summary)
  details.addEventListener('toggle', () => fill(details, path, method, operation), { once: true })
  return details
}

/** Made when it is first opened. */
function fill(details, path, method, operation) {
  const parameters = (operation.parameters ?? []).map(resolved)
  const fields = parameters.filter(({ name }) => name !== 'X-Vault-Namespace').map(fieldFor)
  const body = bodyOf(operation)
  const answer = element('pre', { hidden: true })
  const send = element('button', { type: 'button', textContent: 'Send' })
  send.addEventListener('click', async () => {
    send.disabled = true
    try {
      const [target, init] = requestOf(path, method, fields, body && { type: body.type, text: body.area.value })
      const response = await fetch(target, init)
      answer.textContent = init.method + ' ' + target + '\\n' + response.status + '\\n' + pretty(await response.text())
    } catch (error) {
      answer.textContent = String(error)
    }
    answer.hidden = false
    send.disabled = false
  })
  const statuses = element('ul', {})
  for (const [status, response] of Object.entries(operation.responses)) {
    statuses.append(element('li', { textContent: status + ': ' + resolved(response).description }))
  }
  details.append(element('p', { textContent: operation.description ?? '' }), ...fields.map(({ label }) => label))
  if (body) details.append(body.area, meanings(body.schema))
  details.append(send, answer, statuses)
}

async function start() {
  const response = await fetch('/openapi.json')
  api = await response.json()
  byId('about').textContent = api.info.description
  byId('version').textContent = api.info.version
  for (const { name } of api.tags) {
    const section = element('section', {}, element('h2', { textContent: name }))
    for (const [path, item] of Object.entries(api.paths)) {
      for (const [method, operation] of Object.entries(item)) {
        if (operation.tags.includes(name)) section.append(operationView(path, method, operation))
      }
    }
    byId('operations').append(section)
  }
}

start().catch((error) => {
  byId('about').textContent = 'The API could not be read: ' + error
})
`
