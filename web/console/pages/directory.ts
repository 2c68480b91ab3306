/** The directories of all organizations: their sizes, and the organizations of a person. */
import { findPerson } from '../../../operations/directorysearch.js';
import { summarizeDirectories } from '../../../operations/directorysizes.js';
import { html, path } from '../html.js';
import { field, ofOrg, pager, table, withQuery } from '../layout.js';
import { type Call, type ConsoleRoute, type Page, page } from '../route.js';
import { texts } from '../texts/texts.js';
import { amount } from '../texts/words.js';

const t = texts.directory;
const pageOrgs = 100;

async function show(call: Call): Promise<Page> {
  const { workplace, query } = call;
  const search = (query.search ?? '').trim().slice(0, 200);
  const email = (query.email ?? '').trim().slice(0, 320);
  const from = /^\d{1,6}$/.test(query.from ?? '') ? Number(query.from) : 0;
  const found = email === '' ? null : await findPerson(workplace, email);
  const { orgs, total } = await summarizeDirectories(workplace, { search, from, most: pageOrgs });
  const to = (place: number) => withQuery(call, { from: place });
  return {
    title: t.title,
    body: html`<div class="tight"><h1>${t.title}</h1><p class="lead">${t.lead}</p></div>
<form method="get" class="row" role="search">${field('email', t.email, { type: 'search', value: email, isRequired: false, hint: t.emailHint })}${field('search', t.search, { type: 'search', value: search, isRequired: false })}<button class="quiet">${t.find}</button></form>
${
  found !== null &&
  html`<section class="stack"><h2>${t.found}</h2>${table(
    t.found,
    [
      {
        title: t.person,
        cell: (one) => html`<a href="${path`/orgs/${one.org}/people/${one.email}`}">${one.email}</a>`,
      },
      { title: t.organization, cell: ({ org }) => html`<a href="${ofOrg(org)}">${org}</a>` },
    ],
    found,
    t.nobody,
  )}</section>`
}
<section class="stack"><h2>${t.organizations}</h2>${table(
      t.organizations,
      [
        {
          title: t.organization,
          cell: ({ org }) =>
            html`<a href="${ofOrg(org.id, '/people')}">${org.name}</a> <span class="soft small">${org.id}</span>`,
        },
        { title: t.active, cell: ({ users }) => amount(users.active), isNumber: true },
        { title: t.deactivated, cell: ({ users }) => amount(users.deactivated), isNumber: true },
        {
          title: t.teams,
          cell: ({ org, teams }) => html`<a href="${ofOrg(org.id, '/teams')}">${amount(teams)}</a>`,
          isNumber: true,
        },
      ],
      orgs,
      t.none,
    )}
${pager(from > 0 ? to(Math.max(0, from - pageOrgs)) : null, from + pageOrgs < total ? to(from + pageOrgs) : null)}</section>`,
  };
}

export const directoryRoutes: readonly ConsoleRoute[] = [page('/directory', 'server.read', show)];
