/** The common parts of all ways to sign in: the limits of attempts, the page with all ways, and the cookies of a session that begins. */
import type { Hono } from 'hono';
import type { Logger } from '../../config/logger.js';
import { countedName, knowsBrowser, rememberBrowser } from '../../operations/accounts/browsers.js';
import { siteOf } from '../../operations/accounts/passkeys.js';
import { findProvider, type Provider, providerOfServer } from '../../operations/accounts/provider.js';
import { type Begun, type Client, PasswordQueue } from '../../operations/accounts/sessions.js';
import { sourceOf } from '../../operations/penalties.js';
import type { Workplace } from '../../operations/workplace.js';
import { Limiter } from '../api/limiter.js';
import { clearCookie, readCookie, writeCookie } from './cookie.js';
import { type Address, type Ctx, clientAddress, type Env, originOf, safePath } from './guard.js';
import { scriptPolicy } from './headers.js';
import { html, path } from './html.js';
import { field, notice, renderAlone } from './layout.js';
import { passkeyProblem, passkeyScriptPath } from './passkeyscript.js';
import { texts } from './texts/texts.js';

export interface VisitorDeps extends Address {
  workplace: Workplace;
  version: string;
  logger: Logger;
  clock: () => number;
}

/** Attempts in a minute: of one address; of one account from one address; of one account from all browsers that it was not used in before. */
const attempts = { address: 20, both: 6, account: 30 } as const;
/** Sign-ins at providers and by passkeys that begin in a minute: each is a row, and the writes of strangers must not delay uploads. */
const begunPerMinute = 600;

export interface Entrance {
  app: Hono<Env>;
  deps: VisitorDeps;
  /** Seconds that an address has to wait; 0: it may go on. */
  throttle(c: Ctx): number;
  /** As throttle, for a request that writes a row. */
  throttleFlow(c: Ctx): number;
  /**
   * Seconds to wait before a password is checked, and the queue in which it is. Accounts that do not exist are counted too, so
   * that the limit says nothing about them. Strangers never use up the attempts, or the queue, of a browser that is known.
   */
  throttleAccount(c: Ctx, email: string): Promise<{ wait: number; queue: PasswordQueue }>;
}

/** @param passwords the queue of people who have signed in */
export function createEntrance(app: Hono<Env>, deps: VisitorDeps, passwords: PasswordQueue): Entrance {
  const limits = {
    address: new Limiter(attempts.address, deps.clock),
    both: new Limiter(attempts.both, deps.clock),
    account: new Limiter(attempts.account, deps.clock),
    known: new Limiter(attempts.both, deps.clock),
    begun: new Limiter(begunPerMinute, deps.clock),
  };
  const strangers = new PasswordQueue();
  /** The holder of an IPv6 address can use all addresses of its network. */
  const sourceOfClient = (c: Ctx) => sourceOf(clientAddress(c, deps) ?? '');
  return {
    app,
    deps,
    throttle: (c) => limits.address.take(sourceOfClient(c)),
    throttleFlow: (c) => limits.address.take(sourceOfClient(c)) || limits.begun.take(''),
    throttleAccount: async (c, email) => {
      const name = countedName(email);
      const cookie = readCookie(c, deps, 'known');
      if (await knowsBrowser(deps.workplace, cookie, email))
        return { wait: limits.known.take(`${cookie} ${name}`), queue: passwords };
      const source = sourceOfClient(c);
      const taken = [limits.address.take(source), limits.both.take(`${source} ${name}`)];
      const wait = Math.max(...taken);
      // One address alone must not use up the attempts of all.
      return { wait: wait > 0 ? wait : limits.account.take(name), queue: strangers };
    },
  };
}

/** The browser that signs in; its session of before ends. */
export function clientOf(c: Ctx, deps: Address): Client {
  return {
    address: clientAddress(c, deps),
    agent: c.req.header('user-agent') ?? null,
    former: readCookie(c, deps),
  };
}

/** Gives the browser its cookies. @param provider at which the person signed in: the page of sign-in offers it from now on */
export async function enter(c: Ctx, deps: VisitorDeps, begun: Begun, provider?: Provider): Promise<void> {
  const set = (cookie: string) => c.header('set-cookie', cookie, { append: true });
  set(writeCookie(begun.secret, deps));
  set(clearCookie(deps, 'flow'));
  // A full disk ends no sign-in.
  const known = await rememberBrowser(deps.workplace, begun, readCookie(c, deps, 'known')).catch(() => null);
  if (known !== null) set(writeCookie(known, deps, 'known'));
  if (provider !== undefined && provider.org !== null) set(writeCookie(provider.key, deps, 'provider'));
}

export interface SignInForm {
  next?: string | undefined;
  email?: string;
  problem?: string;
  status?: 200 | 422 | 429 | 503;
}

/** The page with every way to sign in that is known without knowing who asks. */
export async function showSignIn(c: Ctx, deps: VisitorDeps, given: SignInForm = {}): Promise<Response> {
  const { next, email = '', problem, status = 200 } = given;
  const t = texts.signIn;
  const target = next === undefined ? null : html`<input type="hidden" name="next" value="${safePath(next)}">`;
  const providers = await offeredProviders(c, deps);
  const links = providers.map(
    (one) => html`<p><a class="button quiet" href="${pathToProvider(one, next)}">${t.with(one.label)}</a></p>`,
  );
  const site = siteOf(originOf(c, deps));
  const passkey =
    site !== null &&
    html`<form method="post" action="/sign-in/passkey" data-passkey="get" data-options="/sign-in/passkey/options" hidden>${target}<input type="hidden" name="answer"><button class="quiet">${t.passkey}</button>${passkeyProblem(t.passkeyProblem)}</form>`;
  const body = html`<h1>${t.title}</h1>${problem !== undefined && notice('bad', problem)}
${links.length > 0 && html`<section class="tight">${links}</section>`}
<form method="post" action="/sign-in" class="stack">${target}
${field('email', t.email, { type: 'email', value: email, autocomplete: 'username' })}
${field('password', t.password, { type: 'password', autocomplete: 'current-password' })}
${field('code', t.code, { hint: t.codeHint, autocomplete: 'one-time-code' })}
<button>${t.submit}</button></form>
${passkey}
<p class="soft">${t.help}</p>`;
  if (site !== null) c.header('content-security-policy', scriptPolicy);
  return c.html(renderAlone({ title: t.title, body, ...(site !== null && { script: passkeyScriptPath }) }), status);
}

/** That of the server, and that of an organization at which this browser signed in before. */
async function offeredProviders(c: Ctx, deps: VisitorDeps): Promise<Provider[]> {
  const own = await findProvider(deps.workplace, readCookie(c, deps, 'provider'));
  const common = providerOfServer(deps.workplace);
  return [own, common].filter((one): one is Provider => one !== null && (one !== own || one.org !== null));
}

function pathToProvider({ key }: Provider, next: string | undefined): string {
  const after = next === undefined ? '' : `?next=${encodeURIComponent(safePath(next))}`;
  return `${path`/sign-in/with/${key}/go`}${after}`;
}
