/** The runs of all organizations. */
import { listRunsOf, runStates } from '../../../operations/runs.js';
import { html } from '../html.js';
import { ofOrg, pager, select, withQuery } from '../layout.js';
import { type Call, type ConsoleRoute, type Page, page } from '../route.js';
import { texts } from '../texts/texts.js';
import { runTable } from './runview.js';

const t = texts.runs;
const pageRuns = 50;

async function show(call: Call): Promise<Page> {
  const { workplace, query } = call;
  const state = runStates.find((one) => one === query.state);
  const before = /^\d{1,15}$/.test(query.before ?? '') ? Number(query.before) : undefined;
  const filter = { states: state === undefined ? undefined : [state], before, limit: pageRuns + 1 };
  const runs = await listRunsOf(workplace, filter);
  const next = runs.length > pageRuns ? withQuery(call, { before: runs[pageRuns - 1]!.id }) : null;
  const choices = [
    { value: '', text: t.all },
    ...runStates.map((value) => ({ value, text: texts.imports.states[value][1] })),
  ];
  return {
    title: t.title,
    body: html`<h1>${t.title}</h1><form method="get" class="row">${select('state', t.state, choices, state)}<button class="quiet">${t.filter}</button></form>
${runTable(t.title, runs.slice(0, pageRuns), 'UTC', [
  { title: t.organization, cell: ({ org }) => html`<a href="${ofOrg(org)}">${org}</a>` },
])}
${pager(before === undefined ? null : withQuery(call, { before: null }), next)}`,
  };
}

export const runRoutes: readonly ConsoleRoute[] = [page('/runs', 'server.read', show)];
