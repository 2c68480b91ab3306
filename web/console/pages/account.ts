/** A person's own account: its sessions and its password. */
import { changePassword, leastPassword } from '../../../operations/accounts/credentials.js';
import {
  addPasskey,
  beginPasskey,
  listPasskeysOf,
  mostPasskeys,
  type Passkey,
  removePasskey,
  siteOf,
} from '../../../operations/accounts/passkeys.js';
import { mayUsePassword, type Provider, providerOf } from '../../../operations/accounts/provider.js';
import {
  type AccountSession,
  endSession,
  endSessions,
  isRecent,
  listSessionsOf,
} from '../../../operations/accounts/sessions.js';
import { OperationError } from '../../../operations/error.js';
import { ApiError } from '../../api/problem.js';
import { type Html, html } from '../html.js';
import { facts, field, table, tag, time } from '../layout.js';
import { passkeyProblem, passkeyScriptPath } from '../passkeyscript.js';
import { action, type Call, type ConsoleRoute, type Page, page } from '../route.js';
import { texts } from '../texts/texts.js';

const t = texts.account;

async function show(call: Call): Promise<Page> {
  const { workplace, account, session, token } = call;
  const sessions = await listSessionsOf(workplace, account);
  const zone = account.org === null ? 'UTC' : (await workplace.org(account.org)).timeZone;
  const end = ({ id }: AccountSession) =>
    id === session.id
      ? tag('good', t.present)
      : html`<form method="post" action="/account/sessions/end">${token}<input type="hidden" name="id" value="${id}"><button class="link">${t.end}<span class="hidden"> ${id}</span></button></form>`;
  const provider = await providerOf(workplace, account);
  const isWithoutPassword = !(await mayUsePassword(workplace, account));
  const site = isWithoutPassword ? null : siteOf(call.origin);
  return {
    title: t.title,
    timeZone: zone,
    ...(site !== null && { script: passkeyScriptPath }),
    body: html`<h1>${t.title}</h1>
<div class="card">${facts([
      [t.email, account.email],
      [t.role, t.roles[account.role]],
      ...(account.org === null ? [] : [[t.organization, account.org] as const]),
      ...(provider === null ? [] : [[t.provider, describeProvider(provider, call.origin)] as const]),
    ])}</div>
<section class="stack"><div class="tight"><h2>${t.sessions}</h2><p class="soft">${t.sessionsText}</p></div>
${table(
  t.sessions,
  [
    { title: t.browser, cell: ({ agent }) => nameBrowser(agent) },
    { title: t.address, cell: ({ address }) => address ?? '–' },
    { title: t.begun, cell: ({ createdAt }) => time(createdAt, zone) },
    { title: t.method, cell: ({ method }) => (method === null ? '–' : t.methods[method]) },
    { title: t.seen, cell: ({ seenAt }) => time(seenAt, zone) },
    { title: '', cell: end },
  ],
  sessions,
  '',
)}
<form method="post" action="/account/sessions/end-others">${token}<button class="quiet">${t.endOthers}</button></form></section>
${site !== null && (await showPasskeys(call, zone))}
${isWithoutPassword ? html`<section class="tight"><h2>${t.ways}</h2><p>${t.atProvider(provider!.label)}</p></section>` : account.hasPassword ? showPassword(call) : html`<section class="tight"><h2>${t.password}</h2><p>${t.noPassword}</p></section>`}`,
  };
}

/** The address is for a bookmark: that of an organization is on no other page. */
function describeProvider({ key, label }: Provider, origin: string): Html {
  const address = `${origin}/sign-in/with/${key}`;
  return html`${label}: <a href="${address}">${address}</a>`;
}

function showPassword({ account, token }: Call): Html {
  return html`<section class="card"><h2>${t.password}</h2>
<form method="post" action="/account/password" class="stack">${token}<input type="email" name="email" value="${account.email}" autocomplete="username" hidden>
${field('present', t.now, { type: 'password', autocomplete: 'current-password' })}
${field('wanted', t.wanted, { type: 'password', autocomplete: 'new-password', hint: texts.invitation.passwordHint(leastPassword) })}
<button>${t.change}</button></form></section>
<section class="tight"><h2>${t.factor}</h2><p>${t.factorText}</p></section>`;
}

/** The form to add one is shown by its script: a browser without it has none. */
async function showPasskeys({ workplace, account, session, token }: Call, zone: string): Promise<Html> {
  const passkeys = await listPasskeysOf(workplace, account);
  const remove = ({ id, name }: Passkey) =>
    html`<form method="post" action="/account/passkeys/remove">${token}<input type="hidden" name="id" value="${id}"><button class="link">${t.remove}<span class="hidden"> ${name}</span></button></form>`;
  const add = isRecent(workplace, session)
    ? html`<form method="post" action="/account/passkeys" class="stack" data-passkey="create" data-options="/account/passkeys/options" hidden>${token}<input type="hidden" name="answer">
${field('name', t.passkeyName, { hint: t.passkeyNameHint, most: 60 })}<button class="quiet">${t.addPasskey}</button>${passkeyProblem(t.passkeyProblem)}</form>`
    : html`<p>${t.signInAgain} <a href="/sign-in?next=%2Faccount">${t.again}</a></p>`;
  return html`<section class="stack"><div class="tight"><h2>${t.passkeys}</h2><p class="soft">${t.passkeysText}</p></div>
${table(
  t.passkeys,
  [
    { title: t.passkeyName, cell: ({ name }) => name },
    { title: t.added, cell: ({ createdAt }) => time(createdAt, zone) },
    { title: t.seen, cell: ({ usedAt }) => time(usedAt, zone) },
    { title: '', cell: remove },
  ],
  passkeys,
  t.noPasskeys,
)}
${passkeys.length < mostPasskeys ? add : html`<p class="soft">${t.mostPasskeys(mostPasskeys)}</p>`}</section>`;
}

/** @throws OperationError `refused` where the console has no name that passkeys could be bound to */
function requireSite(origin: string) {
  const site = siteOf(origin);
  if (site === null) throw new OperationError('refused', t.noSite);
  return site;
}

async function* toContent(value: object): AsyncIterable<string> {
  yield JSON.stringify(value);
}

/** `Firefox on Windows`: enough to recognize one's own. */
function nameBrowser(agent: string | null): string {
  const browsers: [RegExp, string][] = [
    [/Edg\//, 'Edge'],
    [/Firefox\//, 'Firefox'],
    [/Chrom(e|ium)\//, 'Chrome'],
    [/Safari\//, 'Safari'],
  ];
  const systems: [RegExp, string][] = [
    [/Windows/, 'Windows'],
    [/iPhone|iPad/, 'iOS'],
    [/Android/, 'Android'],
    [/Mac OS/, 'macOS'],
    [/Linux/, 'Linux'],
  ];
  const find = (table: [RegExp, string][]) => table.find(([form]) => form.test(agent ?? ''))?.[1];
  return [find(browsers), find(systems)].filter((name) => name !== undefined).join(' · ') || t.unknownBrowser;
}

export const accountRoutes: readonly ConsoleRoute[] = [
  page('/account', null, show),
  action('/account/sessions/end', null, '/account', async ({ workplace, account, form }) => {
    await endSession(workplace, account, form.id ?? '');
    return { to: '/account?done=ended' };
  }),
  action('/account/sessions/end-others', null, '/account', async ({ workplace, account, session }) => {
    await endSessions(workplace, account, session.id);
    return { to: '/account?done=ended' };
  }),
  action('/account/passkeys/options', null, '/account', async ({ workplace, account, session, origin }) => ({
    content: toContent(await beginPasskey(workplace, account, session, requireSite(origin))),
    fileName: null,
    type: 'application/json; charset=utf-8',
  })),
  action('/account/passkeys', null, '/account', async ({ workplace, account, session, origin, form }) => {
    const { name = '', answer: given = '' } = form;
    await addPasskey(workplace, account, session, requireSite(origin), { name, given });
    return { to: '/account?done=added' };
  }),
  action('/account/passkeys/remove', null, '/account', async ({ workplace, account, form }) => {
    await removePasskey(workplace, account, form.id ?? '');
    return { to: '/account?done=removed' };
  }),
  action('/account/password', null, '/account', async ({ workplace, account, session, form, passwords, guesses }) => {
    const wait = guesses.take(account.id);
    if (wait > 0) throw new ApiError('too_many', texts.errors.wait(wait));
    const { present = '', wanted = '' } = form;
    await changePassword(workplace, account, session.id, { present: present.slice(0, 1_000), wanted }, passwords);
    return { to: '/account?done=password' };
  }),
];
