/** The people of an organization as a tree of managers: one level at a time, so that it is quick for any number of people. */
import { readTree } from '../../../operations/orgtree.js';
import { type Html, html, path } from '../html.js';
import { ofOrg, pager, tag, withQuery } from '../layout.js';
import { type ConsoleRoute, type OrgCall, orgPage, type Page } from '../route.js';
import { texts } from '../texts/texts.js';

const t = texts.tree;
const pagePeople = 100;

interface Named {
  email: string;
  userName: string | null;
  firstName: string | null;
  lastName: string | null;
}

async function show(call: OrgCall): Promise<Page> {
  const { workplace, org, query } = call;
  const of = (query.of ?? '') === '' ? null : query.of!;
  const place = { after: query.after ?? '', limit: pagePeople };
  const { person, above, below, next } = await readTree(workplace, org.id, of, place);
  const link = ({ email }: Named, text: string): Html =>
    html`<a href="${`${ofOrg(org.id, '/people/tree')}?${new URLSearchParams({ of: email })}`}">${text}</a>`;
  const chain = above.map((manager) => html`<li>${link(manager, nameOf(manager))}<ul class="tree">`);
  const items = below.map(
    (one) =>
      html`<li>${one.reports > 0 ? link(one, nameOf(one)) : html`<a href="${path`/orgs/${org.id}/people/${one.email}`}">${nameOf(one)}</a>`} <span class="soft">${one.reports > 0 && t.reports(one.reports)}</span>${one.status === 'deactivated' && html` ${tag('', texts.people.deactivated)}`}</li>`,
  );
  const self =
    person === null
      ? html`${items}`
      : html`<li><strong>${nameOf(person)}</strong> <a href="${path`/orgs/${org.id}/people/${person.email}`}">${t.values}<span class="hidden"> ${person.email}</span></a><ul class="tree">${items}</ul></li>`;
  const isEmpty = person === null && below.length === 0;
  return {
    title: t.title,
    body: html`<div class="head"><h1>${t.title}</h1><a class="button quiet no-print" href="${ofOrg(org.id, '/people')}">${t.table}</a></div>
<p class="lead">${t.lead}</p>
${person !== null && html`<p class="no-print"><a href="${ofOrg(org.id, '/people/tree')}">${t.top}</a></p>`}
${isEmpty ? html`<p class="soft">${t.empty}</p>` : html`<div class="card"><ul class="tree">${chain}${self}${above.map(() => html`</ul></li>`)}</ul></div>`}
${pager(query.after === undefined ? null : withQuery(call, { after: null }), next === null ? null : withQuery(call, { after: next }))}`,
  };
}

function nameOf({ email, userName, firstName, lastName }: Named): string {
  return userName ?? ([firstName, lastName].filter((part) => part !== null).join(' ') || email);
}

export const treeRoutes: readonly ConsoleRoute[] = [orgPage('/people/tree', 'org.read', show)];
