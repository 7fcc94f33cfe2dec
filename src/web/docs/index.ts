import { Hono } from 'hono'
import { html } from 'hono/html'
import { script } from './script.ts'
import { style } from './style.ts'

/** Nothing from elsewhere, nothing inline, and no way out but to this gateway. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const headers = {
  'Content-Security-Policy': policy,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-cache',
}

const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Keyferry: the API</title>
<link rel="stylesheet" href="/docs/page.css">
<script src="/docs/page.js" defer></script>
</head>
<body>
<header>
<h1>Keyferry: the API <small id="version"></small></h1>
<p id="about">Reading it ...</p>
<p><a href="/openapi.json">/openapi.json</a></p>
<label>Token <input id="token" type="password" autocomplete="off"></label>
<label>Namespace <input id="namespace" autocomplete="off"></label>
</header>
<main id="operations"></main>
</body>
</html>`

/** `/docs`: a page to read and try the API with, made from `/openapi.json` in the browser. */
export function docsRoutes(): Hono {
  const app = new Hono()
  const file = (type: string, text: string) => () =>
    new Response(text, { headers: { ...headers, 'Content-Type': `${type}; charset=utf-8` } })
  app.get('/docs', file('text/html', String(page)))
  app.get('/docs/page.js', file('text/javascript', script))
  app.get('/docs/page.css', file('text/css', style))
  return app
}
