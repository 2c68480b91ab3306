/** The pages without a session: sign-in, sign-out, and the invitation that sets up an account. */
import type { Hono } from 'hono';
import { renderSVG } from 'uqr';
import {
  acceptInvitation,
  actorOf,
  generateTotpSecret,
  leastPassword,
  openInvitation,
  totpUri,
} from '../../operations/accounts/credentials.js';
import { type Provider, providerOf } from '../../operations/accounts/provider.js';
import {
  beginSession,
  endSession,
  type PasswordQueue,
  recognizeSession,
  signIn,
} from '../../operations/accounts/sessions.js';
import { OperationError } from '../../operations/error.js';
import { readForm } from './body.js';
import { clearCookie, readCookie } from './cookie.js';
import { clientOf, createEntrance, enter, showSignIn, type VisitorDeps } from './entrance.js';
import { type Ctx, clientAddress, type Env, isOwnForm, originOf, safePath } from './guard.js';
import { type Html, html, path, trusted } from './html.js';
import { field, notice, renderAlone } from './layout.js';
import { openPasskeyDoors } from './passkeydoors.js';
import { openProviderDoors } from './providerdoors.js';
import { texts } from './texts/texts.js';

/** @param passwords the queue of people who have signed in */
export function openDoors(app: Hono<Env>, deps: VisitorDeps, passwords: PasswordQueue): void {
  const entrance = createEntrance(app, deps, passwords);
  const { throttle, throttleAccount } = entrance;
  openProviderDoors(entrance);
  openPasskeyDoors(entrance);

  app.get('/sign-in', (c) => showSignIn(c, deps, { next: c.req.query('next') }));
  app.post('/sign-in', async (c) => {
    if (!isOwnForm(c, deps)) return refuseForeign(c, deps);
    const { values } = await readForm(c);
    const { email = '', password = '', code = '', next } = values;
    const { wait, queue } = await throttleAccount(c, email);
    if (wait > 0) {
      c.header('retry-after', String(wait));
      return showSignIn(c, deps, { next, email, problem: texts.errors.wait(wait), status: 429 });
    }
    const given = { email, password: password.slice(0, 1_000), code: code.slice(0, 100) };
    const begun = await signIn(deps.workplace, given, clientOf(c, deps), queue);
    if (begun === null) {
      deps.logger.warn('console sign-in refused', { address: clientAddress(c, deps) });
      return showSignIn(c, deps, { next, email, problem: texts.signIn.wrong, status: 422 });
    }
    await enter(c, deps, begun);
    return c.redirect(safePath(next), 303);
  });
  app.post('/sign-out', async (c) => {
    if (!isOwnForm(c, deps)) return refuseForeign(c, deps);
    const secret = readCookie(c, deps);
    const who = await recognizeSession(deps.workplace, secret, clientAddress(c, deps));
    // Also from a page of an earlier session: a person who signs out must be out.
    if (who !== null) {
      const workplace = { ...deps.workplace, actor: actorOf(who.account) };
      await endSession(workplace, who.account, who.session.id).catch(() => {});
      c.header('set-cookie', clearCookie(deps));
      // The browser forgets the pages that it keeps for its Back button.
      c.header('clear-site-data', '"cache"');
      // Its own session goes on: on a shared computer the next person would be signed in by one click.
      const provider = who.session.method === 'provider' ? await providerOf(deps.workplace, who.account) : null;
      if (provider !== null) return c.redirect(path`/sign-in/left/${provider.key}`, 303);
    }
    return c.redirect('/sign-in', 303);
  });
  app.get('/invitation/:code', async (c) => {
    const wait = throttle(c);
    if (wait > 0) return refuseForNow(c, wait);
    const account = await openInvitation(deps.workplace, c.req.param('code'));
    if (account === null) return refuseInvitation(c);
    const provider = await providerOf(deps.workplace, account);
    const page = invitationPage(account.email, generateTotpSecret(), {
      problem: null,
      provider,
      code: c.req.param('code'),
    });
    return c.html(renderAlone(page));
  });
  app.post('/invitation/:code', async (c) => {
    if (!isOwnForm(c, deps)) return refuseForeign(c, deps);
    const wait = throttle(c);
    if (wait > 0) return refuseForNow(c, wait);
    const code = c.req.param('code');
    const invited = await openInvitation(deps.workplace, code);
    if (invited === null) return refuseInvitation(c);
    const { values } = await readForm(c);
    const { password = '', secret = '', totp = '' } = values;
    try {
      const {
        account,
        recovery,
        password: stored,
      } = await acceptInvitation(deps.workplace, code, {
        password,
        totpSecret: secret,
        totpCode: totp,
      });
      const proof = { method: 'invitation', factor: 'invitation' } as const;
      const isUnchanged = (now: { password: string | null }) => now.password === stored;
      const begun = await beginSession(deps.workplace, account, clientOf(c, deps), proof, isUnchanged);
      if (begun === null) return refuseInvitation(c);
      await enter(c, deps, { account, secret: begun });
      return c.html(renderAlone(recoveryPage(recovery)));
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      // Another request was faster.
      if (error.code === 'not_found') return refuseInvitation(c);
      if (error.code !== 'usage') throw error;
      const key = /^[A-Z2-7]{32}$/.test(secret) ? secret : generateTotpSecret();
      const provider = await providerOf(deps.workplace, invited);
      const page = invitationPage(invited.email, key, { problem: error.message, provider, code });
      return c.html(renderAlone(page), 422);
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

interface InvitationParts {
  problem: string | null;
  /** At which the account signs in; null: at none. */
  provider: Provider | null;
  code: string;
}

function invitationPage(
  email: string,
  secret: string,
  { problem, provider, code }: InvitationParts,
): { title: string; body: Html } {
  const t = texts.invitation;
  const link =
    provider !== null &&
    html`<p>${provider.isRequired ? t.provider : t.providerOr}</p><p><a class="button" href="${path`/invitation/${code}/go`}">${texts.signIn.with(provider.label)}</a></p>`;
  const head = html`<h1>${t.title}</h1><p class="lead">${provider === null ? t.lead(email) : t.leadProvider(email)}</p>${problem !== null && notice('bad', problem)}${link}`;
  if (provider?.isRequired === true) return { title: t.title, body: head };
  const image = renderSVG(totpUri(secret, { issuer: texts.frame.brand, account: email }), { border: 1 });
  return {
    title: t.title,
    body: html`${head}
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
