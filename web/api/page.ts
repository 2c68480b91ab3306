/** The readable page about the API: one HTML document without scripts, which loads nothing. */
import { createHash } from 'node:crypto';
import { describeAccess } from './openapi.js';
import type { Route } from './route.js';

const style =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}code{font:14px ui-monospace,monospace}dt{margin-top:1rem}dd{margin-left:1.5rem}';

export interface DocsPage {
  html: string;
  /** Of the header Content-Security-Policy: allows the page's own style alone. */
  policy: string;
}

export function renderDocs(routes: readonly Route[], version: string): DocsPage {
  const rows = routes.map(
    (route) =>
      `<dt><code>${route.method} /api/v1${escapeHtml(route.path)}</code></dt><dd>${escapeHtml(route.summary)}.<br><small>${escapeHtml(describeAccess(route))}</small></dd>`,
  );
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Dropslot API</title><style>${style}</style></head>
<body><h1>Dropslot API ${escapeHtml(version)}</h1>
<p>Each request carries <code>Authorization: Bearer dst_…</code>, a token of <code>dropslot tokens add</code>. The schemas of requests and answers are in <a href="openapi.json">openapi.json</a> (OpenAPI 3.1). Errors are <code>application/problem+json</code>.</p>
<dl>${rows.join('\n')}</dl></body></html>
`;
  const digest = createHash('sha256').update(style).digest('base64');
  return { html, policy: `default-src 'none'; style-src 'sha256-${digest}'; frame-ancestors 'none'` };
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
