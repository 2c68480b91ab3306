/** The page behind the link of a mailed export: it shows a button, since programs that check mails open links; the button downloads. */
import type { Hono } from 'hono';
import type { Logger } from '../../config/logger.js';
import { OperationError } from '../../operations/error.js';
import { beginDownload, offerDownload } from '../../operations/exports/downloads.js';
import { sourceOf } from '../../operations/penalties.js';
import { takeDownload } from '../../operations/places.js';
import type { Workplace } from '../../operations/workplace.js';
import { answerContent, breakerOf } from '../api/answer.js';
import { Limiter } from '../api/limiter.js';
import { type Address, type Ctx, clientAddress, type Env } from '../console/guard.js';
import { type Html, html } from '../console/html.js';
import { facts, renderAlone, time } from '../console/layout.js';
import { bytes, city } from '../console/texts/words.js';
import { texts as t } from './texts.js';

export interface DownloadDeps extends Address {
  workplace: Workplace;
  logger: Logger;
  /** Names of the work that this process bounds. */
  busy: Set<string>;
  /** In ms, and never going back. */
  clock: () => number;
}

/** Of one address. Right and wrong links count alike, so that the limit says nothing about a link. */
const requestsPerMinute = 30;

/** The address of the page is a secret: no other page and no search engine is told. */
const headers = { 'referrer-policy': 'no-referrer', 'x-robots-tag': 'noindex, nofollow', 'cache-control': 'no-store' };

export function openDownloads(app: Hono<Env>, deps: DownloadDeps): void {
  const limit = new Limiter(requestsPerMinute, deps.clock);
  const throttle = (c: Ctx): Response | Promise<Response> | null => {
    const wait = limit.take(sourceOf(clientAddress(c, deps) ?? ''));
    if (wait === 0) return null;
    return show(c, 429, { title: t.busy, text: t.wait(wait) }, { 'retry-after': String(wait) });
  };
  app.get('/d/:token', async (c) => {
    const refused = throttle(c);
    if (refused !== null) return refused;
    const offered = await offerDownload(deps.workplace, c.req.param('token'));
    if (offered === null) return unusable(c);
    const { org, name, size, until } = offered;
    const body = html`<h1>${t.title}</h1><p class="lead">${t.lead(org.name)}</p>
${facts([
  [t.file, name],
  [t.size, bytes(size)],
  [t.until, html`${time(until, org.timeZone)} (${city(org.timeZone)})`],
])}
<form method="post"><button>${t.submit}</button></form>
<p class="soft">${t.once}</p>`;
    return render(c, 200, t.title, body);
  });
  app.post('/d/:token', async (c) => {
    const refused = throttle(c);
    if (refused !== null) return refused;
    const admit = (org: string) => takeDownload(deps.busy, { org });
    const [token, address] = [c.req.param('token'), clientAddress(c, deps)];
    const begun = await beginDownload(deps.workplace, token, address, admit, c.req.raw.signal).catch(
      (error: unknown) => {
        if (error instanceof OperationError && error.code === 'unavailable') return 'busy' as const;
        throw error;
      },
    );
    if (begun === 'busy') return show(c, 503, { title: t.busy, text: t.wait(10) }, { 'retry-after': '10' });
    if (begun === null) return unusable(c);
    const breakOff = breakerOf(c.env, c.get('requestId'), deps.logger);
    const answer = await answerContent({ content: begun.content, fileName: begun.name }, 'text/csv', { breakOff });
    answer.headers.set('content-length', String(begun.size));
    for (const [name, value] of Object.entries(headers)) answer.headers.set(name, value);
    return answer;
  });
}

/** The same for unknown, used and expired ones. */
function unusable(c: Ctx): Response | Promise<Response> {
  return show(c, 404, { title: t.unusable, text: t.unusableText });
}

function show(
  c: Ctx,
  status: 404 | 429 | 503,
  { title, text }: { title: string; text: string },
  more: Record<string, string> = {},
): Response | Promise<Response> {
  return render(c, status, title, html`<h1>${title}</h1><p class="lead">${text}</p>`, more);
}

function render(
  c: Ctx,
  status: 200 | 404 | 429 | 503,
  title: string,
  body: Html,
  more: Record<string, string> = {},
): Response | Promise<Response> {
  return c.html(renderAlone({ title, body }), status, { ...headers, ...more });
}
