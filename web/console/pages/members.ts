/** Who may sign in: for an organization, and for the whole server. */
import {
  changeRole,
  findPerson,
  inviteAccount,
  listPeople,
  removePerson,
} from '../../../operations/accounts/people.js';
import { type Account, orgRoles, serverRoles } from '../../../operations/accounts/rights.js';
import { OperationError } from '../../../operations/error.js';
import { type Html, html, type Value } from '../html.js';
import { field, ofOrg, select, table, tag, time } from '../layout.js';
import {
  action,
  type Call,
  type ConsoleRoute,
  type OrgCall,
  type Outcome,
  orgAction,
  orgPage,
  type Page,
} from '../route.js';
import { judgeSent, shown } from '../shown.js';
import { texts } from '../texts/texts.js';

const t = texts.members;

async function show(call: OrgCall): Promise<Page> {
  return {
    title: t.title,
    body: html`<div class="tight"><h1>${t.title}</h1><p class="lead">${t.lead}</p></div>${await showPeople(call, ofOrg(call.org.id, '/members'), call.org.timeZone)}`,
  };
}

/** The people of the organization of the call, or of the server, with forms that are sent below `to`. */
export async function showPeople(call: Call, to: string, timeZone: string): Promise<Html> {
  const { workplace, org, account, token, form } = call;
  const roles = org === null ? serverRoles : orgRoles;
  const choices = roles.map((value) => ({ value, text: texts.account.roles[value] }));
  const people = await listPeople(workplace, org?.id ?? null);
  const hidden = ({ email }: Account) => html`${token}<input type="hidden" name="email" value="${email}">`;
  const change = (one: Account): Value =>
    one.id === account.id
      ? tag('', t.self)
      : html`<div class="row"><form method="post" action="${to}/role" class="row">${hidden(one)}<label class="hidden" for="role-${one.id}">${t.role}: ${one.email}</label>${shown('role', one.role)}<select id="role-${one.id}" name="role">${choices.map(({ value }) => html`<option${value === one.role && html` selected`}>${value}</option>`)}</select><button class="quiet">${t.change}<span class="hidden"> ${one.email}</span></button></form><form method="post" action="${to}/remove">${hidden(one)}<button class="danger">${t.remove}<span class="hidden"> ${one.email}</span></button></form></div>`;
  return html`${table(
    t.title,
    [
      { title: t.email, cell: ({ email }) => email },
      { title: t.role, cell: ({ role }) => role },
      { title: t.state, cell: ({ isSet }) => (isSet ? tag('good', t.isSet) : tag('wait', t.invited)) },
      { title: t.last, cell: ({ signedInAt }) => (signedInAt === null ? t.never : time(signedInAt, timeZone)) },
      { title: '', cell: change },
    ],
    people,
    t.empty,
  )}
<section class="card"><h2>${t.invite}</h2><p class="soft">${t.inviteText}</p><form method="post" action="${to}/invite" class="row">${token}
${field('email', t.email, { type: 'email', value: form.email })}${select('role', t.role, choices, form.role ?? roles.at(-1))}<button>${t.submit}</button></form></section>`;
}

/** The invitation's link, which is shown once. */
export async function invite(call: Call, back: string): Promise<Outcome> {
  const { workplace, org, form, origin } = call;
  const { email = '', role = '' } = form;
  const { account, code } = await inviteAccount(workplace, { email, role, org: org?.id });
  const link = `${origin}/invitation/${code}`;
  return {
    title: t.made(account.email),
    body: html`<h1>${t.made(account.email)}</h1><p class="lead">${t.madeText}</p><div class="card"><code class="invitation">${link}</code></div><p><a href="${back}">${t.back}</a></p>`,
  };
}

export async function remove({ workplace, org, form }: Call, back: string): Promise<Outcome> {
  await removePerson(workplace, form.email ?? '', org?.id ?? null);
  return { to: `${back}?done=removed` };
}

export async function setRole({ workplace, org, form }: Call, back: string): Promise<Outcome> {
  const { email, role } = await findPerson(workplace, form.email ?? '', org?.id ?? null);
  const sent = judgeSent(form, 'role', role);
  if (sent === 'outdated') throw new OperationError('refused', t.outdated(email, role));
  if (sent === 'changed') await changeRole(workplace, email, form.role ?? '', org?.id ?? null);
  return { to: `${back}?done=saved` };
}

const verbs = { invite, remove, role: setRole };

/** The actions behind the forms of showPeople for the whole server. */
export function peopleActions(at: string, right: 'server.people'): ConsoleRoute[] {
  return Object.entries(verbs).map(([verb, handle]) => action(`${at}/${verb}`, right, at, (call) => handle(call, at)));
}

export const memberRoutes: readonly ConsoleRoute[] = [
  orgPage('/members', 'org.members', show),
  ...Object.entries(verbs).map(([verb, handle]) =>
    orgAction(`/members/${verb}`, 'org.members', '/members', (call) => handle(call, ofOrg(call.org.id, '/members'))),
  ),
];
