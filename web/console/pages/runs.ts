/** The runs of all organizations. */
import { OperationError } from '../../../operations/error.js';
import { listRunsOf, runStates } from '../../../operations/runs.js';
import { readSince } from '../../../operations/since.js';
import { html } from '../html.js';
import { field, ofOrg, pager, select, withQuery } from '../layout.js';
import { type Call, type ConsoleRoute, type Page, page } from '../route.js';
import { texts } from '../texts/texts.js';
import { runTable } from './runview.js';

const t = texts.runs;
const pageRuns = 50;

async function show(call: Call): Promise<Page> {
  const { workplace, query } = call;
  const state = runStates.find((one) => one === query.state);
  const before = /^\d{1,15}$/.test(query.before ?? '') ? Number(query.before) : undefined;
  const org = (query.org ?? '').trim();
  const since = (query.since ?? '').trim();
  const filter = {
    states: state === undefined ? undefined : [state],
    ...(org !== '' && { org }),
    ...(since !== '' && { since: readSince('since', since, workplace.now()) }),
    before,
    limit: pageRuns + 1,
  };
  const runs = await listRunsOf(workplace, filter).catch((error: unknown) => {
    // Of no organization there are no runs.
    if (error instanceof OperationError && error.code === 'not_found') return [];
    throw error;
  });
  const next = runs.length > pageRuns ? withQuery(call, { before: runs[pageRuns - 1]!.id }) : null;
  const choices = [
    { value: '', text: t.all },
    ...runStates.map((value) => ({ value, text: texts.imports.states[value][1] })),
  ];
  return {
    title: t.title,
    body: html`<h1>${t.title}</h1><form method="get" class="row" role="search">${field('org', t.organization, { value: org, isRequired: false })}${select('state', t.state, choices, state)}${field('since', t.since, { value: since, hint: t.sinceHint, isRequired: false })}<button class="quiet">${t.filter}</button></form>
${runTable(t.title, runs.slice(0, pageRuns), 'UTC', [
  { title: t.organization, cell: ({ org }) => html`<a href="${ofOrg(org)}">${org}</a>` },
])}
${pager(before === undefined ? null : withQuery(call, { before: null }), next)}`,
  };
}

export const runRoutes: readonly ConsoleRoute[] = [page('/runs', 'server.read', show)];
