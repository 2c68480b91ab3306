/** The pages without a session: sign-in, sign-out, and the invitation that sets up an account. */
import type { Hono } from 'hono';
import { renderSVG } from 'uqr';
import type { Logger } from '../../config/logger.js';
import {
  acceptInvitation,
  actorOf,
  generateTotpSecret,
  leastPassword,
  openInvitation,
  totpUri,
} from '../../operations/accounts/credentials.js';
import {
  beginSession,
  endSession,
  isFormToken,
  type PasswordQueue,
  recognizeSession,
  signIn,
} from '../../operations/accounts/sessions.js';
import { OperationError } from '../../operations/error.js';
import { sourceOf } from '../../operations/penalties.js';
import type { Workplace } from '../../operations/workplace.js';
import { Limiter } from '../api/limiter.js';
import { readForm } from './body.js';
import { clearCookie, readCookie, writeCookie } from './cookie.js';
import { type Address, type Ctx, clientAddress, type Env, isOwnForm, originOf, safePath } from './guard.js';
import { type Html, html, trusted } from './html.js';
import { field, notice, renderAlone } from './layout.js';
import { texts } from './texts/texts.js';

export interface VisitorDeps extends Address {
  workplace: Workplace;
  logger: Logger;
  clock: () => number;
}

/** Attempts in a minute: of one address; of one account from one address; of one account from everywhere. */
const attempts = { address: 20, both: 6, account: 30 } as const;

export function openDoors(app: Hono<Env>, deps: VisitorDeps, passwords: PasswordQueue): void {
  const limits = {
    address: new Limiter(attempts.address, deps.clock),
    both: new Limiter(attempts.both, deps.clock),
    account: new Limiter(attempts.account, deps.clock),
  };
  /** The holder of an IPv6 address can use all addresses of its network. */
  const clientOf = (c: Ctx) => sourceOf(clientAddress(c, deps) ?? '');
  /** Seconds to wait. Accounts that do not exist are counted too, so that the limit says nothing about them. */
  const throttle = (address: string, name: string) =>
    Math.max(limits.address.take(address), limits.both.take(`${address} ${name}`), limits.account.take(name));

  app.get('/sign-in', (c) => c.html(renderAlone(signInPage(c.req.query('next'), '', null))));
  app.post('/sign-in', async (c) => {
    if (!isOwnForm(c, deps)) return refuseForeign(c, deps);
    const { values } = await readForm(c);
    const { email = '', password = '', code = '', next } = values;
    const name = email.trim().toLowerCase().slice(0, 254);
    const again = (text: string, status: 422 | 429 | 503) => c.html(renderAlone(signInPage(next, email, text)), status);
    const wait = throttle(clientOf(c), name);
    if (wait > 0) {
      c.header('retry-after', String(wait));
      return again(texts.errors.wait(wait), 429);
    }
    const agent = c.req.header('user-agent') ?? null;
    const begun = await signIn(
      deps.workplace,
      { email, password: password.slice(0, 1_000), code: code.slice(0, 100) },
      { address: clientAddress(c, deps), agent },
      passwords,
    );
    if (begun === null) {
      deps.logger.warn('console sign-in refused', { address: clientAddress(c, deps) });
      return again(texts.signIn.wrong, 422);
    }
    c.header('set-cookie', writeCookie(begun.secret, deps));
    return c.redirect(safePath(next), 303);
  });
  app.post('/sign-out', async (c) => {
    if (!isOwnForm(c, deps)) return refuseForeign(c, deps);
    const secret = readCookie(c, deps);
    const who = await recognizeSession(deps.workplace, secret, clientAddress(c, deps));
    const { values } = await readForm(c);
    if (who !== null && isFormToken(values._token ?? '', secret)) {
      const workplace = { ...deps.workplace, actor: actorOf(who.account) };
      await endSession(workplace, who.account, who.session.id).catch(() => {});
      c.header('set-cookie', clearCookie(deps));
      // The browser forgets the pages that it keeps for its Back button.
      c.header('clear-site-data', '"cache"');
    }
    return c.redirect('/sign-in', 303);
  });
  app.get('/invitation/:code', async (c) => {
    const wait = limits.address.take(clientOf(c));
    if (wait > 0) return refuseForNow(c, wait);
    const account = await openInvitation(deps.workplace, c.req.param('code'));
    if (account === null) return refuseInvitation(c);
    return c.html(renderAlone(invitationPage(account.email, generateTotpSecret(), null)));
  });
  app.post('/invitation/:code', async (c) => {
    if (!isOwnForm(c, deps)) return refuseForeign(c, deps);
    const wait = limits.address.take(clientOf(c));
    if (wait > 0) return refuseForNow(c, wait);
    const code = c.req.param('code');
    const invited = await openInvitation(deps.workplace, code);
    if (invited === null) return refuseInvitation(c);
    const { values } = await readForm(c);
    const { password = '', secret = '', totp = '' } = values;
    try {
      const { account, recovery } = await acceptInvitation(deps.workplace, code, {
        password,
        totpSecret: secret,
        totpCode: totp,
      });
      const client = { address: clientAddress(c, deps), agent: c.req.header('user-agent') ?? null };
      c.header('set-cookie', writeCookie(await beginSession(deps.workplace, account, client, 'invitation'), deps));
      return c.html(renderAlone(recoveryPage(recovery)));
    } catch (error) {
      if (!(error instanceof OperationError) || error.code !== 'usage') throw error;
      const key = /^[A-Z2-7]{32}$/.test(secret) ? secret : generateTotpSecret();
      return c.html(renderAlone(invitationPage(invited.email, key, error.message)), 422);
    }
  });
}

function refuseForeign(c: Ctx, deps: VisitorDeps): Response | Promise<Response> {
  const { foreign, foreignText, back } = texts.errors;
  const text = foreignText(originOf(c, deps));
  const body = html`<h1>${foreign}</h1><p class="lead">${text}</p><p><a href="/">${back}</a></p>`;
  return c.html(renderAlone({ title: foreign, body }), 403);
}

function refuseInvitation(c: Ctx): Response | Promise<Response> {
  const { used, usedText } = texts.invitation;
  return c.html(renderAlone({ title: used, body: html`<h1>${used}</h1><p class="lead">${usedText}</p>` }), 404);
}

/** Says nothing about the invitation, which was not looked for. */
function refuseForNow(c: Ctx, wait: number): Response | Promise<Response> {
  const { busy, wait: text } = texts.errors;
  const body = html`<h1>${busy}</h1><p class="lead">${text(wait)}</p>`;
  return c.html(renderAlone({ title: busy, body }), 429, { 'retry-after': String(wait) });
}

function signInPage(next: string | undefined, email: string, problem: string | null): { title: string; body: Html } {
  const t = texts.signIn;
  const target = next === undefined ? null : html`<input type="hidden" name="next" value="${safePath(next)}">`;
  return {
    title: t.title,
    body: html`<h1>${t.title}</h1>${problem !== null && notice('bad', problem)}
<form method="post" action="/sign-in" class="stack">${target}
${field('email', t.email, { type: 'email', value: email, autocomplete: 'username' })}
${field('password', t.password, { type: 'password', autocomplete: 'current-password' })}
${field('code', t.code, { hint: t.codeHint, autocomplete: 'one-time-code' })}
<button>${t.submit}</button></form>
<p class="soft">${t.help}</p>`,
  };
}

function invitationPage(email: string, secret: string, problem: string | null): { title: string; body: Html } {
  const t = texts.invitation;
  const image = renderSVG(totpUri(secret, { issuer: texts.frame.brand, account: email }), { border: 1 });
  return {
    title: t.title,
    body: html`<h1>${t.title}</h1><p class="lead">${t.lead(email)}</p>${problem !== null && notice('bad', problem)}
<form method="post" class="stack"><input type="hidden" name="secret" value="${secret}"><input type="email" name="email" value="${email}" autocomplete="username" hidden>
${field('password', t.password, { type: 'password', autocomplete: 'new-password', hint: t.passwordHint(leastPassword) })}
<h2>${t.app}</h2><p>${t.scan}</p><div class="qr" role="img" aria-label="${t.qr}">${trusted(image)}</div><p><code class="key">${secret.replace(/.{4}(?=.)/g, '$& ')}</code></p>
${field('totp', t.code, { hint: t.codeHint, autocomplete: 'one-time-code' })}
<button>${t.submit}</button></form>`,
  };
}

function recoveryPage(codes: readonly string[]): { title: string; body: Html } {
  const t = texts.invitation;
  return {
    title: t.recovery,
    body: html`<h1>${t.recovery}</h1><p class="lead">${t.recoveryText}</p>
<div class="card"><ul class="codes">${codes.map((code) => html`<li><code>${code}</code></li>`)}</ul></div>
<p class="no-print"><a class="button" href="/">${t.go}</a></p>`,
  };
}
