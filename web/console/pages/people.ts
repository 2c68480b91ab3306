/** The people of an organization's directory: a table that the server searches and pages, and one person with every change. */
import { hasRight } from '../../../operations/accounts/rights.js';
import { listFieldsOf } from '../../../operations/customfields.js';
import { exportUsers, recordExport } from '../../../operations/export.js';
import { changeUser } from '../../../operations/people/users.js';
import { settableLabels } from '../../../operations/people/values.js';
import { type LabelledUser, showUser, type UserHistory, walkUsers } from '../../../operations/users.js';
import { type Html, html, path, type Value } from '../html.js';
import { field, ofOrg, pager, select, table, tag, withQuery } from '../layout.js';
import { type ConsoleRoute, type OrgCall, type Outcome, orgAction, orgPage, type Page } from '../route.js';
import { texts } from '../texts/texts.js';
import { moment } from '../texts/words.js';
import { correctionForm, readCorrection } from './correction.js';
import { showHistory, showStory } from './story.js';

const t = texts.people;
const p = texts.person;
const pageUsers = 50;
const statuses = ['active', 'deactivated'] as const;

async function list(call: OrgCall): Promise<Page> {
  const { workplace, org, query } = call;
  const search = (query.search ?? '').trim().slice(0, 200);
  const status = statuses.find((one) => one === query.status);
  const filter = { search: search === '' ? undefined : search, status, limit: pageUsers + 1, after: query.after };
  const users: LabelledUser[] = [];
  for await (const user of walkUsers(workplace, org.id, filter)) users.push(user);
  const next = users.length > pageUsers ? withQuery(call, { after: users[pageUsers - 1]!.emailKey }) : null;
  return {
    title: t.title,
    body: html`<div class="head"><h1>${t.title}</h1><div class="row no-print"><a class="button quiet" href="${ofOrg(org.id, '/people/tree')}">${t.tree}</a><a class="button quiet" href="${ofOrg(org.id, '/people.csv')}">${t.export}</a></div></div>
<form method="get" class="row" role="search">${field('search', t.search, { type: 'search', value: search, isRequired: false })}
${select('status', t.status, [{ value: '', text: t.all }, ...statuses.map((value) => ({ value, text: t[value] }))], status)}<button class="quiet">${t.find}</button></form>
${table(
  t.title,
  [
    { title: t.email, cell: ({ email }) => html`<a href="${personPath(org.id, email)}">${email}</a>` },
    { title: t.name, cell: nameOf },
    {
      title: t.manager,
      cell: ({ managerEmail }) =>
        managerEmail !== null && html`<a href="${personPath(org.id, managerEmail)}">${managerEmail}</a>`,
    },
    { title: t.teams, cell: (user) => user.teams.join(', ') },
    { title: t.status, cell: showStatus },
  ],
  users.slice(0, pageUsers),
  t.empty,
)}
${pager(query.after === undefined ? null : withQuery(call, { after: null }), next)}`,
  };
}

function personPath(org: string, email: string): string {
  return path`/orgs/${org}/people/${email}`;
}

function nameOf({ userName, firstName, lastName }: LabelledUser): string {
  return userName ?? [firstName, lastName].filter((part) => part !== null).join(' ');
}

function showStatus({ status, isAdmin }: LabelledUser): Value {
  return [tag(status === 'active' ? 'good' : '', t[status]), isAdmin && html` ${tag('info', p.admin)}`];
}

async function show(call: OrgCall): Promise<Page> {
  const { workplace, org, params, account } = call;
  const history = await showUser(workplace, org.id, params.email ?? '');
  const { user, story, changes, reports } = history;
  return {
    title: user.email,
    body: html`<div class="tight"><h1>${nameOf(user) || user.email}</h1><p>${user.email} ${showStatus(user)}</p>
${user.deactivateAt !== null && html`<p>${p.scheduled(moment(user.deactivateAt, org.timeZone))}</p>`}${reports > 0 && html`<p class="soft">${p.reports(reports)}</p>`}</div>
${showStory(org, story)}
${hasRight(account, 'org.decide') && (await correction(call, history))}
${showHistory(org, changes)}`,
  };
}

async function correction(call: OrgCall, { user }: UserHistory): Promise<Html> {
  const { workplace, org } = call;
  const fields = (await listFieldsOf(workplace, org.id)).filter(({ hidden }) => !hidden);
  const labels = [...settableLabels.user, ...fields.map(({ label }) => label)];
  return correctionForm(call, personPath(org.id, user.email), labels, p.correctHint);
}

async function correct(call: OrgCall): Promise<Outcome> {
  const { workplace, org, params } = call;
  const { values } = await changeUser(workplace, org.id, params.email ?? '', readCorrection(call));
  const renamed = values.find(({ field: label }) => label === settableLabels.user[0]);
  return { to: `${personPath(org.id, renamed?.after ?? params.email ?? '')}?done=saved` };
}

async function send({ workplace, org }: OrgCall): Promise<Outcome> {
  await recordExport(workplace, org.id, 'users', {});
  return { content: exportUsers(workplace, org.id), fileName: 'users.csv' };
}

export const peopleRoutes: readonly ConsoleRoute[] = [
  orgPage('/people', 'org.read', list),
  orgPage('/people.csv', 'org.read', send),
  orgPage('/people/{email}', 'org.read', show),
  orgAction('/people/{email}', 'org.decide', '/people/{email}', correct),
];
