/** Signing in at an identity provider: the page that offers it, the way there, and the way back. */
import { openInvitation } from '../../operations/accounts/credentials.js';
import { createOpenId, type FlowWishes, OpenIdError } from '../../operations/accounts/openid.js';
import { hashCode } from '../../operations/accounts/people.js';
import { findProvider, type Provider, providerOf } from '../../operations/accounts/provider.js';
import { enterByProvider } from '../../operations/accounts/providersignin.js';
import { recognizeSession } from '../../operations/accounts/sessions.js';
import { OperationError } from '../../operations/error.js';
import { clearCookie, readCookie, writeCookie } from './cookie.js';
import { clientOf, type Entrance, enter, showSignIn } from './entrance.js';
import { type Ctx, clientAddress, isOwnAddress, originOf, safePath } from './guard.js';
import { html, path } from './html.js';
import { renderAlone } from './layout.js';
import { texts } from './texts/texts.js';

const t = texts.provider;

export function openProviderDoors({ app, deps, throttle, throttleFlow }: Entrance): void {
  const { workplace, logger } = deps;
  const openId = createOpenId(deps);
  const returnTo = (c: Ctx, { key }: Provider) => `${originOf(c, deps)}${path`/sign-in/return/${key}`}`;
  const tooMany = (c: Ctx, wait: number) => {
    c.header('retry-after', String(wait));
    return showSignIn(c, deps, { problem: texts.errors.wait(wait), status: 429 });
  };
  /** Another site can't begin a sign-in: it can show the page with the button. */
  const isFromHere = (c: Ctx) =>
    isOwnAddress(c, deps) && [undefined, 'same-origin'].includes(c.req.header('sec-fetch-site'));

  const fail = (c: Ctx, provider: Provider, error: unknown, next: string) => {
    if (error instanceof OperationError && error.code === 'unavailable')
      return showSignIn(c, deps, { problem: error.message, status: 503, next });
    const isKnown = error instanceof OpenIdError;
    if (!isKnown && !(error instanceof OperationError)) throw error;
    const { org, issuer, label } = provider;
    const problem = isKnown ? error.problem : 'unreachable';
    const reason = error.message;
    logger.warn('console sign-in at a provider failed', { problem, reason, org, issuer });
    const way = provider.isRequired ? t.later : t.otherWay;
    return showSignIn(c, deps, {
      problem: `${t.problems[problem](label)} ${problem === 'unreachable' ? way : ''}`.trim(),
      status: problem === 'unreachable' ? 503 : 422,
      next,
    });
  };

  const go = async (c: Ctx, provider: Provider, wishes: Omit<FlowWishes, 'returnTo'>) => {
    try {
      const { to, secret } = await openId.begin(provider, { ...wishes, returnTo: returnTo(c, provider) });
      c.header('set-cookie', writeCookie(secret, deps, 'flow'));
      return c.redirect(to, 303);
    } catch (error) {
      return fail(c, provider, error, wishes.next);
    }
  };

  app.get('/sign-in/with/:key', async (c) => {
    const wait = throttle(c);
    if (wait > 0) return tooMany(c, wait);
    const provider = await findProvider(workplace, c.req.param('key'));
    if (provider === null) return showSignIn(c, deps, { problem: t.unknown, status: 422 });
    const title = texts.signIn.with(provider.label);
    const body = html`<h1>${texts.signIn.title}</h1><p class="lead">${t.lead}</p><p><a class="button" href="${path`/sign-in/with/${provider.key}/go`}">${title}</a></p><p><a href="/sign-in">${t.others}</a></p>`;
    return c.html(renderAlone({ title, body }));
  });
  app.get('/sign-in/with/:key/go', async (c) => {
    const key = c.req.param('key');
    if (!isFromHere(c)) return c.redirect(path`/sign-in/with/${key}`, 303);
    const wait = throttleFlow(c);
    if (wait > 0) return tooMany(c, wait);
    const provider = await findProvider(workplace, key);
    if (provider === null) return showSignIn(c, deps, { problem: t.unknown, status: 422 });
    const next = safePath(c.req.query('next'));
    return go(c, provider, { next, invitation: null, isFresh: next === '/account' });
  });
  app.get('/invitation/:code/go', async (c) => {
    const code = c.req.param('code');
    if (!isFromHere(c)) return c.redirect(path`/invitation/${code}`, 303);
    const wait = throttleFlow(c);
    if (wait > 0) return tooMany(c, wait);
    const account = await openInvitation(workplace, code);
    const provider = account === null ? null : await providerOf(workplace, account);
    if (provider === null) return c.redirect(path`/invitation/${code}`, 303);
    return go(c, provider, { next: '/', invitation: hashCode(code), isFresh: false });
  });
  app.get('/sign-in/left/:key', async (c) => {
    const wait = throttle(c);
    if (wait > 0) return tooMany(c, wait);
    const provider = await findProvider(workplace, c.req.param('key'));
    const there = provider === null ? null : await openId.leave(provider);
    if (provider === null || there === null) return c.redirect('/sign-in', 303);
    const { label } = provider;
    const body = html`<h1>${t.left}</h1><p class="lead">${t.leftText(label)}</p><p><a class="button" href="${there}" rel="noreferrer">${t.leave(label)}</a></p><p><a href="/sign-in">${t.again}</a></p>`;
    return c.html(renderAlone({ title: t.left, body }));
  });
  app.get('/sign-in/return/:key', async (c) => {
    const wait = throttle(c);
    if (wait > 0) return tooMany(c, wait);
    const provider = await findProvider(workplace, c.req.param('key'));
    if (provider === null || !isOwnAddress(c, deps)) return showSignIn(c, deps, { problem: t.unknown, status: 422 });
    const secret = readCookie(c, deps, 'flow');
    c.header('set-cookie', clearCookie(deps, 'flow'));
    try {
      const { search: query } = new URL(c.req.url);
      const proven = await openId.finish(provider, { returnTo: returnTo(c, provider), query, secret });
      const begun = await enterByProvider(workplace, provider, proven, clientOf(c, deps));
      if (typeof begun === 'string') {
        logger.warn('console sign-in at a provider refused', { problem: begun, org: provider.org });
        return showSignIn(c, deps, { problem: t.refusals[begun], status: 422 });
      }
      await enter(c, deps, begun, provider);
      return c.redirect(safePath(proven.next), 303);
    } catch (error) {
      // The Back button leads here again.
      const isOld = error instanceof OpenIdError && error.problem === 'outdated';
      if (isOld && (await recognizeSession(workplace, readCookie(c, deps), clientAddress(c, deps))) !== null)
        return c.redirect('/', 303);
      return fail(c, provider, error, '/');
    }
  });
}
