/** The web console: finds the page of a request, checks its session, its rights and its form, and answers. */
import { randomBytes } from 'node:crypto';
import { Hono } from 'hono';
import type { Logger } from '../../config/logger.js';
import { actorOf } from '../../operations/accounts/credentials.js';
import { hasRight } from '../../operations/accounts/rights.js';
import {
  formTokenOf,
  isFormToken,
  PasswordQueue,
  type Recognized,
  recognizeSession,
} from '../../operations/accounts/sessions.js';
import { OperationError } from '../../operations/error.js';
import { describeFailure } from '../../operations/failure.js';
import type { Org } from '../../operations/orgdetails.js';
import { createSharedWork, type SharedWork, type Shares, type Turns, takeShare } from '../../operations/places.js';
import { noOrganization, type OpenWorkplace, type Workplace } from '../../operations/workplace.js';
import { answerContent, breakerOf } from '../api/answer.js';
import { Limiter } from '../api/limiter.js';
import { ApiError, type ProblemCode, statusOf } from '../api/problem.js';
import { openDownloads } from '../download/download.js';
import { type Form, isTooLarge, readForm, skipForm } from './body.js';
import { readCookie } from './cookie.js';
import { download, isDownload } from './downloads.js';
import { type Address, type Ctx, clientAddress, type Env, isOwnForm, isTls, originOf } from './guard.js';
import { scriptPolicy, securityHeaders } from './headers.js';
import { html } from './html.js';
import { iconPath, renderAlone, renderPage, stylePath } from './layout.js';
import { liveScript, liveScriptPath } from './livescript.js';
import { passkeyScript, passkeyScriptPath } from './passkeyscript.js';
import type { Call, ConsoleRoute, Outcome, Page } from './route.js';
import { toSentence } from './sentence.js';
import { icon, style } from './style.js';
import { routes } from './table.js';
import { texts } from './texts/texts.js';
import { openDoors } from './visitors.js';

export interface ConsoleDeps extends Address {
  workplace: Workplace;
  open: OpenWorkplace;
  version: string;
  logger: Logger;
  /** In ms, and never going back: for limits. */
  clock: () => number;
  /** Shared with the API of the process; without it of its own. */
  work?: SharedWork;
}

const requestsPerMinute = 300;
const guessesPerMinute = 6;
const fileShares: Shares = { most: 4, mostOfOrg: 1 };
/** Forms that are refused, and read to their end all the same. */
const skippedShares: Shares = { most: 8, mostOfOrg: 2 };

/** A page that a person may not see looks like a page that does not exist. */
class Missing extends Error {}
class Forbidden extends Error {}

const t = texts.errors;

export function createConsole(deps: ConsoleDeps): Hono<Env> {
  const { logger, clock } = deps;
  const app = new Hono<Env>();
  const { busy, checks } = deps.work ?? createSharedWork();
  const shared: Shared = {
    ...{ busy, checks },
    passwords: new PasswordQueue(),
    requests: new Limiter(requestsPerMinute, clock),
    guesses: new Limiter(guessesPerMinute, clock),
  };
  app.use(async (c, next) => {
    const startedAt = clock();
    const requestId = `req_${randomBytes(8).toString('hex')}`;
    c.set('requestId', requestId);
    c.set('who', null);
    await next();
    for (const [name, value] of Object.entries(securityHeaders(isTls(deps))))
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
    c.res.headers.set('x-request-id', requestId);
    const { method, routePath: path } = c.req;
    const ms = Math.round(clock() - startedAt);
    const { status } = c.res;
    // The path of the route, since that of the request may name a person.
    logger.log(status >= 500 ? 'info' : 'debug', 'console request', {
      requestId,
      method,
      path,
      status,
      ms,
      account: c.get('who'),
    });
  });
  app.onError((error, c) => answerTrouble(c, error, logger));
  app.get(stylePath, () => asset(style, 'text/css; charset=utf-8'));
  app.get(iconPath, () => asset(icon, 'image/svg+xml'));
  app.get(liveScriptPath, () => asset(liveScript, 'text/javascript; charset=utf-8'));
  app.get(passkeyScriptPath, () => asset(passkeyScript, 'text/javascript; charset=utf-8'));
  openDownloads(app, { ...deps, busy: shared.busy });
  openDoors(app, deps, shared.passwords);
  for (const route of routes)
    app.on(route.method, route.path.replace(/\{(\w+)\}/g, ':$1'), (c) => answer(c, route, deps, shared));
  app.notFound(async (c) => {
    const who = await recognize(c, deps);
    if (who === null) return c.html(renderAlone(problemPage(t.missing, t.missingText)), 404);
    const call = makeCall(c, deps, shared, who);
    if (who.account.org !== null) call.org = await call.workplace.org(who.account.org);
    return c.html(renderPage(problemPage(t.missing, t.missingText), call), 404);
  });
  return app;
}

interface Shared {
  busy: Set<string>;
  checks: Turns;
  passwords: PasswordQueue;
  requests: Limiter;
  guesses: Limiter;
}

function recognize(c: Ctx, deps: ConsoleDeps): Promise<Recognized | null> {
  return recognizeSession(deps.workplace, readCookie(c, deps), clientAddress(c, deps));
}

async function answer(c: Ctx, route: ConsoleRoute, deps: ConsoleDeps, shared: Shared): Promise<Response> {
  const who = await recognize(c, deps);
  if (who === null) return toSignIn(c, route);
  c.set('who', who.account.id);
  const wait = shared.requests.take(who.account.id);
  if (wait > 0) return c.html(renderAlone(problemPage(t.busy, t.wait(wait))), 429, { 'retry-after': String(wait) });
  let call = makeCall(c, deps, shared, who);
  try {
    // Their pages have their links also where a page is refused, or is of no organization.
    if (who.account.org !== null) call.org = await call.workplace.org(who.account.org);
    if (route.method === 'POST' && !isOwnForm(c, deps))
      return c.html(renderAlone(problemPage(t.foreign, t.foreignText(call.origin))), 403);
    // Before the form is read: its page is shown again when it can't be read.
    call.org = (await admit(route, call)) ?? call.org;
    if (route.method === 'POST') {
      const [sent] = await Promise.allSettled([route.takesFile === true ? readFileForm(c, call) : readForm(c)]);
      // It may take a minute to arrive: a session that ended meanwhile, or a role that was taken away, does and shows nothing any more.
      const still = await recognize(c, deps);
      if (still === null) return toSignIn(c, route);
      call = { ...makeCall(c, deps, shared, still), org: call.org };
      call.org = (await admit(route, call)) ?? call.org;
      if (sent.status === 'rejected') throw sent.reason;
      const { values, file } = sent.value;
      if (!isFormToken(values._token ?? '', readCookie(c, deps)))
        return c.html(renderAlone(problemPage(t.outdated, t.outdatedText)), 403);
      Object.assign(call, { form: values, file });
    }
    if (!isDownload(route)) return await show(c, await route.handle(call), call, deps.logger);
    if (c.req.method === 'HEAD') return c.body(null, 405, { allow: 'GET' });
    return await show(c, await download(call, async () => route.handle(call)), call, deps.logger);
  } catch (error) {
    return answerFailure(c, error, route, call, deps);
  }
}

function toSignIn(c: Ctx, { method }: ConsoleRoute): Response {
  const { pathname, search } = new URL(c.req.url);
  const next = method === 'GET' && pathname !== '/' ? `?next=${encodeURIComponent(pathname + search)}` : '';
  return c.redirect(`/sign-in${next}`, 303);
}

/** Files of forms are in memory until they are checked: one of each organization, and few of all, arrive at a time. */
async function readFileForm(c: Ctx, { busy, org }: Call): Promise<Form> {
  const owner = org?.id ?? '';
  const leave = isTooLarge(c) ? null : takeShare(busy, 'file', owner, fileShares);
  const leaveSkipped = leave === null ? takeShare(busy, 'skipped', owner, skippedShares) : null;
  try {
    if (leaveSkipped !== null) await skipForm(c);
    if (isTooLarge(c) || leave !== null) return await readForm(c, true);
    throw new OperationError('unavailable', texts.check.busy);
  } finally {
    leave?.();
    leaveSkipped?.();
  }
}

function makeCall(
  c: Ctx,
  deps: ConsoleDeps,
  { busy, checks, passwords, guesses }: Shared,
  { account, session }: Recognized,
): Call {
  const { workplace, open, version } = deps;
  const { pathname, searchParams } = new URL(c.req.url);
  const org: Workplace['org'] = async (wanted) => {
    if (account.org !== null && wanted !== account.org) throw noOrganization(wanted);
    return workplace.org(wanted);
  };
  return {
    ...{ open, version, account, session, busy, checks, passwords, guesses },
    workplace: { ...workplace, actor: actorOf(account), isOfOrg: account.org !== null, org },
    org: null,
    params: c.req.param() as Record<string, string>,
    query: Object.fromEntries([...searchParams].filter(([name, value]) => !`${name}${value}`.includes('\0'))),
    form: {},
    file: null,
    problem: null,
    token: html`<input type="hidden" name="_token" value="${formTokenOf(readCookie(c, deps))}">`,
    origin: originOf(c, deps),
    path: pathname,
    signal: c.req.raw.signal,
  };
}

/** The organization of the path; null: it names none. @throws Missing, Forbidden */
async function admit({ path, right }: ConsoleRoute, { account, params, workplace }: Call): Promise<Org | null> {
  const may = right === null || hasRight(account, right);
  if (Object.values(params).some((value) => value.includes('\0'))) throw new Missing();
  if (!path.startsWith('/orgs/{org}')) {
    // People of an organization do not learn which pages the server has.
    if (!may) throw account.org === null ? new Forbidden() : new Missing();
    return null;
  }
  const org = await workplace.org(params.org!).catch((error: unknown) => {
    if (error instanceof OperationError && error.code === 'not_found') throw new Missing();
    throw error;
  });
  if (!may) throw new Forbidden();
  return org;
}

type Status = 200 | 413 | 422 | 429 | 503;

/** Of a page that says why a form was refused. */
function refusedStatus(code: ProblemCode): Status {
  const status = statusOf(code);
  return status === 413 || status === 429 || status === 503 ? status : 422;
}

async function show(c: Ctx, outcome: Outcome, call: Call, logger: Logger, status: Status = 200): Promise<Response> {
  if ('to' in outcome) return c.redirect(outcome.to, 303);
  // Its content would be opened, recorded as read, and never sent.
  if ('content' in outcome && c.req.method === 'HEAD') return c.body(null, 405, { allow: 'GET' });
  if ('content' in outcome) {
    const isTable = outcome.fileName?.endsWith('.csv') === true;
    const breakOff = breakerOf(c.env, c.get('requestId'), logger);
    return answerContent(outcome, outcome.type ?? (isTable ? 'text/csv' : 'application/octet-stream'), { breakOff });
  }
  if (outcome.script !== undefined) c.header('content-security-policy', scriptPolicy);
  return c.html(renderPage(outcome, call), status);
}

/** A form that can't be carried out shows its page again, with the reason and the values that were sent. */
async function answerFailure(
  c: Ctx,
  error: unknown,
  route: ConsoleRoute,
  call: Call,
  deps: ConsoleDeps,
): Promise<Response> {
  if (error instanceof Missing) return c.html(renderPage(problemPage(t.missing, t.missingText), call), 404);
  if (error instanceof Forbidden) {
    const text = call.account.org === null ? t.forbiddenText : t.forbiddenOfOrg;
    return c.html(renderPage(problemPage(t.forbidden, text), call), 403);
  }
  const {
    code,
    message: reason,
    stack,
  } = error instanceof ApiError ? { code: error.code, message: error.message, stack: null } : describeFailure(error);
  const message = toSentence(reason, { org: call.org?.id, isOfOrg: call.account.org !== null });
  if (code === 'internal') {
    const id = c.get('requestId');
    deps.logger.error('a page of the console failed by a defect', { requestId: id, reason, stack });
    return c.html(renderPage(problemPage(t.defect, t.defectText(id)), call), 500);
  }
  if (route.page === null && code === 'not_found')
    return c.html(renderPage(problemPage(t.missing, t.missingText), call), 404);
  const again = routes.find(({ method, path }) => method === 'GET' && path === route.page);
  const path =
    route.page?.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(call.params[name] ?? '')) ?? call.path;
  if (again !== undefined) {
    const repeated = { ...call, path, problem: message };
    const outcome = await admit(again, call)
      .then((org) => again.handle({ ...repeated, org }))
      .catch(() => null);
    if (outcome !== null && 'body' in outcome) return show(c, outcome, repeated, deps.logger, refusedStatus(code));
  }
  return c.html(renderPage(problemPage(t.failed, message), call), refusedStatus(code));
}

function answerTrouble(c: Ctx, error: Error, logger: Logger): Response | Promise<Response> {
  if (error instanceof ApiError)
    return c.html(renderAlone(problemPage(t.failed, toSentence(error.message))), statusOf(error.code) as 400);
  const { code, message, stack } = describeFailure(error);
  const id = c.get('requestId');
  if (code !== 'internal') return c.html(renderAlone(problemPage(t.failed, toSentence(message))), refusedStatus(code));
  logger.error('a page of the console failed by a defect', { requestId: id, reason: message, stack });
  return c.html(renderAlone(problemPage(t.defect, t.defectText(id))), 500);
}

function problemPage(title: string, text: string): Page {
  return {
    title,
    body: html`<h1>${title}</h1><p class="lead">${text}</p><p><a href="/">${t.back}</a></p>`,
  };
}

function asset(content: string, type: string): Response {
  return new Response(content, {
    headers: { 'content-type': type, 'cache-control': 'public, max-age=31536000, immutable' },
  });
}
