/** The HTTP API: finds the route of a request, checks its token and its values, and answers. */
import { randomBytes } from 'node:crypto';
import { Hono } from 'hono';
import type { Logger } from '../../config/logger.js';
import { newContext, readTraceparent, tellSpan } from '../../config/spans.js';
import type { Drops } from '../../operations/drops/drops.js';
import { createErasureJobs } from '../../operations/people/erasurejobs.js';
import { createSharedWork, type SharedWork } from '../../operations/places.js';
import type { ShownSetting } from '../../operations/settings.js';
import type { Token } from '../../operations/tokens.js';
import type { OpenWorkplace, Workplace } from '../../operations/workplace.js';
import { addScim } from '../scim/scim.js';
import { readBearer, workplaceFor } from './access.js';
import { answerContent, answerJson, answerProblem, breakerOf } from './answer.js';
import { inTime, longestMs } from './deadline.js';
import { streamBody } from './forms.js';
import { addressOf, type Ctx, createGate, type Env, requireUsable } from './gate.js';
import { requireMatch } from './match.js';
import { answerOnce } from './once.js';
import { describeApi } from './openapi.js';
import { renderDocs } from './page.js';
import { ApiError, describeTrouble } from './problem.js';
import { readBody, readHead } from './request.js';
import type { Call, Content, Route } from './route.js';
import { routes } from './table.js';

export interface ApiDeps {
  workplace: Workplace;
  open: OpenWorkplace;
  drops: Drops;
  version: string;
  /** Those that the server works by, with their origins. */
  settings: readonly ShownSetting[];
  logger: Logger;
  /** Whether clients come by TLS. */
  isSecure: boolean;
  /** In ms, and never going back: for limits. */
  clock: () => number;
  /** Shared with the console of the process; without it of its own. */
  work?: SharedWork;
}

export const base = '/api/v1';

export function createApi(deps: ApiDeps): Hono<Env> {
  const { logger, clock, version } = deps;
  const app = new Hono<Env>();
  const work = deps.work ?? createSharedWork();
  const gate = createGate(deps.workplace, clock);
  const erasures = createErasureJobs(work.busy);
  app.use(async (c, next) => {
    const startedAt = clock();
    const startMs = Date.now();
    const requestId = `req_${randomBytes(8).toString('hex')}`;
    c.set('requestId', requestId);
    c.set('token', null);
    await next();
    for (const [name, value] of Object.entries(securityHeaders(deps.isSecure)))
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
    c.res.headers.set('x-request-id', requestId);
    // The path of the route, since that of the request may have an address of a person.
    const path = c.req.routePath;
    const { method } = c.req;
    const ms = Math.round(clock() - startedAt);
    const { status } = c.res;
    const token = c.get('token');
    // Strangers can't fill the log: their 401 answers are limited by rate.
    const level = token !== null || status === 401 || status >= 500 ? 'info' : 'debug';
    logger.log(level, 'HTTP request', { requestId, method, path, status, ms, token });
    // As a stranger's requests could fill the collector.
    if (token !== null)
      tellSpan(() => ({
        ...{ name: `${method} ${path}`, kind: 'server', startMs, endMs: startMs + clock() - startedAt },
        context: newContext(readTraceparent(c.req.header('traceparent'))),
        attributes: {
          ...{ 'http.request.method': method, 'http.route': path, 'http.response.status_code': status },
          ...{ 'dropslot.request': requestId, 'dropslot.token': token },
        },
        isFailed: status >= 500,
      }));
  });
  app.onError((error, c) => {
    const { problem, stack } = describeTrouble(error, c.get('requestId'));
    if (stack !== null)
      logger.error('a request failed by a defect', { requestId: problem.requestId, reason: error.message, stack });
    const more: Record<string, string> = error instanceof ApiError ? { ...error.headers } : {};
    return answerProblem(problem, more);
  });
  // An error thrown here would skip the headers and the log line of the middleware.
  const refuse = (c: Ctx, error: ApiError, more: Record<string, string> = {}) =>
    answerProblem(describeTrouble(error, c.get('requestId')).problem, more);
  app.notFound((c) => refuse(c, new ApiError('not_found', `there is no such path; see ${base}/docs`)));
  const description = describeApi(routes, version);
  const page = renderDocs(routes, version);
  app.get(`${base}/openapi.json`, (c) => c.json(description));
  app.get(`${base}/docs`, (c) => c.html(page.html, 200, { 'content-security-policy': page.policy }));
  for (const route of routes)
    app.on(route.method, patternOf(route), async (c) => {
      const token = await gate(c, route);
      return answer(c, route, token, deps, { ...work, erasures });
    });
  for (const [pattern, methods] of methodsOf(routes))
    app.all(pattern, (c) => {
      const allow = methods.join(', ');
      return refuse(c, new ApiError('method_not_allowed', `this path has the methods ${allow}`), { allow });
    });
  addScim(app, { ...deps, gate, busy: work.busy });
  return app;
}

/** `/orgs/{org}` is `/api/v1/orgs/:org` to Hono. */
function patternOf({ path }: Route): string {
  return base + path.replace(/\{(\w+)\}/g, ':$1');
}

function methodsOf(table: readonly Route[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const route of table) found.set(patternOf(route), [...(found.get(patternOf(route)) ?? []), route.method]);
  return found;
}

async function answer(
  c: Ctx,
  route: Route,
  token: Token,
  deps: ApiDeps,
  { busy, checks, erasures }: SharedWork & Pick<Call<never, never, never>, 'erasures'>,
): Promise<Response> {
  // Its content would be opened, recorded as read, and never sent.
  if (c.req.method === 'HEAD' && typeof route.answer === 'string')
    throw new ApiError('method_not_allowed', 'a download has no HEAD: list the files for their sizes');
  const head = readHead(c, route);
  const workplace = workplaceFor(deps.workplace, token);
  const { open, drops, version, settings } = deps;
  const asked = {
    ...head,
    workplace,
    token,
    open,
    drops,
    version,
    settings,
    busy,
    checks,
    erasures,
    address: addressOf(c),
    signal: c.req.raw.signal,
  };
  const leave = (await route.admit?.({ ...asked, body: null } as Call<never, never, never>)) ?? (() => {});
  const readIt = async () => {
    const read = await readBody(c, route);
    if (route.body !== null) await requireUsable(workplace, token);
    return read;
  };
  const body = await readIt().catch((error) => {
    leave();
    throw error;
  });
  return carryOut(c, route, { ...asked, body } as Call<never, never, never>, leave, deps.logger);
}

/** @param leave called when the work has ended, which may be after its answer */
async function carryOut(
  c: Ctx,
  route: Route,
  call: Call<never, never, never>,
  leave: () => void,
  logger: Logger,
): Promise<Response> {
  const { workplace, token } = call as Call<unknown, unknown, unknown>;
  const { params, query, body, headers } = call as Call<unknown, unknown, unknown>;
  const secret = readBearer(c.req.header('authorization'))!;
  const inputs = { params, query, headers, body };
  const once = { header: c.req.header('idempotency-key'), request: [c.req.path, inputs], secret };
  const work = answerOnce(workplace, token, route, once, async () =>
    route.handle(await requireMatch(c.req.header('if-match'), route, call)),
  ).finally(leave);
  // An upload has its own bounds.
  const value = await (route.body === streamBody ? work : inTime(work, tooSlow, dropContent));
  if (typeof route.answer === 'string') {
    const breakOff = breakerOf(c.env, c.get('requestId'), logger);
    return inTime(answerContent(value as Content, route.answer, { breakOff }), tooSlow, ({ body }) => {
      body?.cancel().catch(() => {});
    });
  }
  return answerJson(value, route, c.req.header('if-none-match'));
}

/** A download that nobody waits for any more gives its place back. */
function dropContent(value: unknown): void {
  const { content } = (value ?? {}) as Partial<Content>;
  content?.[Symbol.asyncIterator]()
    .return?.()
    .catch(() => {});
}

function tooSlow(): ApiError {
  return new ApiError('too_slow', `no answer within ${longestMs / 1000} s; the operation may still end`);
}

function securityHeaders(isSecure: boolean): Record<string, string> {
  return {
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    ...(isSecure && { 'strict-transport-security': 'max-age=31536000' }),
  };
}
