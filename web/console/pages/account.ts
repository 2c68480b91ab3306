/** A person's own account: its sessions and its password. */
import { changePassword, leastPassword } from '../../../operations/accounts/credentials.js';
import { type AccountSession, endSession, endSessions, listSessionsOf } from '../../../operations/accounts/sessions.js';
import { OperationError } from '../../../operations/error.js';
import { html } from '../html.js';
import { facts, field, table, tag, time } from '../layout.js';
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
  return {
    title: t.title,
    body: html`<h1>${t.title}</h1>
<div class="card">${facts([
      [t.email, account.email],
      [t.role, t.roles[account.role]],
      ...(account.org === null ? [] : [[t.organization, account.org] as const]),
    ])}</div>
<section class="stack"><div class="tight"><h2>${t.sessions}</h2><p class="soft">${t.sessionsText}</p></div>
${table(
  t.sessions,
  [
    { title: t.browser, cell: ({ agent }) => nameBrowser(agent) },
    { title: t.address, cell: ({ address }) => address ?? '–' },
    { title: t.begun, cell: ({ createdAt }) => time(createdAt, zone) },
    { title: t.seen, cell: ({ seenAt }) => time(seenAt, zone) },
    { title: '', cell: end },
  ],
  sessions,
  '',
)}
<form method="post" action="/account/sessions/end-others">${token}<button class="quiet">${t.endOthers}</button></form></section>
<section class="card"><h2>${t.password}</h2>
<form method="post" action="/account/password" class="stack">${token}<input type="email" name="email" value="${account.email}" autocomplete="username" hidden>
${field('present', t.now, { type: 'password', autocomplete: 'current-password' })}
${field('wanted', t.wanted, { type: 'password', autocomplete: 'new-password', hint: texts.invitation.passwordHint(leastPassword) })}
<button>${t.change}</button></form></section>
<section class="tight"><h2>${t.factor}</h2><p>${t.factorText}</p></section>`,
  };
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
  action('/account/password', null, '/account', async ({ workplace, account, session, form, passwords, guesses }) => {
    const wait = guesses.take(account.id);
    if (wait > 0) throw new OperationError('unavailable', texts.errors.wait(wait));
    const { present = '', wanted = '' } = form;
    await changePassword(workplace, account, session.id, { present: present.slice(0, 1_000), wanted }, passwords);
    return { to: '/account?done=password' };
  }),
];
