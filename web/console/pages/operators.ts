/** Who may sign in for the whole server, and the tokens of programs. */
import {
  addToken,
  listAllTokens,
  revokeTokenById,
  stateOfToken,
  type Token,
  tokenScopes,
} from '../../../operations/tokens.js';
import { html } from '../html.js';
import { field, select, table, tag, time } from '../layout.js';
import { action, type Call, type ConsoleRoute, type Outcome, type Page, page } from '../route.js';
import { texts } from '../texts/texts.js';
import { peopleActions, showPeople } from './members.js';

const t = texts.operators;
const here = '/operators';

async function show(call: Call): Promise<Page> {
  const { workplace, token, form } = call;
  const tokens = await listAllTokens(workplace);
  const now = workplace.now();
  const revoke = ({ id, revokedAt }: Token) =>
    revokedAt === null &&
    html`<form method="post" action="${here}/revoke">${token}<input type="hidden" name="id" value="${id}"><button class="link">${t.revoke}<span class="hidden"> ${id}</span></button></form>`;
  const state = (one: Token) => {
    const word = stateOfToken(one, now);
    return tag(word === 'usable' ? 'good' : '', word);
  };
  return {
    title: t.title,
    body: html`<h1>${t.title}</h1><section class="stack"><h2>${t.people}</h2>${await showPeople(call, here, 'UTC')}</section>
<section class="stack"><div class="tight"><h2>${t.tokens}</h2><p class="soft">${t.tokensText}</p></div>${table(
      t.tokens,
      [
        { title: t.id, cell: ({ id }) => html`<code>${id}</code>` },
        { title: t.name, cell: ({ name }) => name },
        { title: t.org, cell: ({ org }) => org ?? t.all },
        { title: t.scope, cell: ({ scope }) => scope },
        { title: t.state, cell: state },
        { title: t.expires, cell: ({ expiresAt }) => time(expiresAt, 'UTC') },
        { title: t.used, cell: ({ lastUsedAt }) => time(lastUsedAt, 'UTC') },
        { title: '', cell: revoke },
      ],
      tokens,
      t.empty,
    )}
<div class="card"><h3>${t.add}</h3><form method="post" action="${here}/tokens" class="stack">${token}
${field('name', t.name, { value: form.name, most: 100 })}
${select(
  'scope',
  t.scope,
  tokenScopes.map((value) => ({ value, text: value })),
  form.scope,
)}
${field('org', t.org, { value: form.org, hint: t.orgHint, isRequired: false })}
${field('expires', t.expires, { value: form.expires, hint: t.expiresHint, isRequired: false })}
<button>${t.submit}</button></form></div></section>`,
  };
}

async function add({ workplace, form }: Call): Promise<Outcome> {
  const { name = '', scope = '', org = '', expires = '' } = form;
  const wanted = { name, scope, org: org.trim() || undefined, expires: expires.trim() || undefined };
  const { secret } = await addToken(workplace, wanted);
  return {
    title: t.made(name),
    body: html`<h1>${t.made(name)}</h1><p class="lead">${t.madeText}</p><div class="card"><code>${secret}</code></div><p><a href="${here}">${t.back}</a></p>`,
  };
}

export const operatorRoutes: readonly ConsoleRoute[] = [
  page(here, 'server.people', show),
  ...peopleActions(here, 'server.people'),
  action(`${here}/tokens`, 'server.people', here, add),
  action(`${here}/revoke`, 'server.people', here, async ({ workplace, form }) => {
    await revokeTokenById(workplace, form.id ?? '');
    return { to: `${here}?done=revoked` };
  }),
];
