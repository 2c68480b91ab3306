/** Check a file: its effect, each problem beside its row, and the meaning of each column; applies and stores nothing. */

import { hasRight } from '../../../operations/accounts/rights.js';
import { type CheckedUpload, checkUpload } from '../../../operations/checkupload.js';
import { type ColumnMapping, type MappedColumn, saveAliases } from '../../../operations/columnmapping.js';
import { OperationError } from '../../../operations/error.js';
import { type Html, html } from '../html.js';
import { ofOrg, table, tag } from '../layout.js';
import { tell } from '../message.js';
import { type ConsoleRoute, type OrgCall, type Outcome, orgAction, orgPage, type Page } from '../route.js';
import { texts } from '../texts/texts.js';
import { showProblem } from './problemview.js';
import { changeTable } from './runview.js';

const t = texts.check;
const longestMs = 55_000;
/** Names of form fields: the label of a column follows. */
const prefix = 'as:';

async function show(call: OrgCall): Promise<Page> {
  return {
    title: t.title,
    body: html`<div class="tight"><h1>${t.title}</h1><p class="lead">${t.lead}</p></div>${form(call)}`,
  };
}

function form({ org, token }: OrgCall): Html {
  return html`<form method="post" action="${ofOrg(org.id, '/check')}" enctype="multipart/form-data" class="card stack">${token}
<div class="field"><label for="file">${t.file}</label><input id="file" name="file" type="file" accept=".csv,.tsv,.txt,.gz,.pgp,.gpg" required aria-describedby="file-hint"><span class="hint" id="file-hint">${t.fileHint}</span></div>
<button>${t.submit}</button></form>`;
}

async function check(call: OrgCall): Promise<Outcome> {
  const { workplace, org, file, checks } = call;
  if (file === null || file.name === '') throw new OperationError('usage', t.none);
  const endTurn = await checks.wait(org.id);
  try {
    const name = file.name.replace(/^.*[\\/]/, '').slice(0, 255);
    const checked = await checkUpload(workplace, org.id, { name, bytes: file.bytes }, AbortSignal.timeout(longestMs));
    return { title: t.title, body: showResult(call, name, checked) };
  } finally {
    endTurn();
  }
}

function showResult(call: OrgCall, name: string, { verdict, page, changes, mapping }: CheckedUpload): Html {
  const { header, problems, total } = page;
  return html`<h1>${t.result(name)}</h1>
<pre tabindex="0">${tell(call, verdict.trim())}</pre>
${mapping !== null && showMapping(call, mapping)}
<section class="stack"><h2>${total === 0 ? t.problems(0, 0) : t.problems(problems.length, total)}</h2>
${total === 0 ? html`<p>${t.noProblems}</p>` : html`<div class="card">${problems.map((problem) => showProblem(call, problem, header))}</div>`}</section>
<section class="stack"><div class="head"><h2>${t.changes}</h2>${changes.total > 0 && html`<span class="soft">${texts.run.changesOf(changes.rows.length, changes.total)}</span>`}</div>
${changeTable(t.changes, changes.rows, t.noChanges)}</section>
${form(call)}`;
}

function showMapping({ org, token, account }: OrgCall, { columns, free }: ColumnMapping): Html {
  const isOpen = columns.some(({ meaning }) => meaning !== 'standard') && hasRight(account, 'org.decide');
  const choose = ({ label, meaning, proposal }: MappedColumn, index: number) =>
    meaning !== 'standard' &&
    html`<label class="hidden" for="as-${index}">${t.as}: ${label}</label><select id="as-${index}" name="${prefix}${label}"><option value="">${t.keep}</option>${free.map((standard) => html`<option${standard === proposal && html` selected`}>${standard}</option>`)}</select>`;
  const rows = columns.map((column, index) => ({ column, index }));
  const all = table(
    t.columns,
    [
      { title: t.column, cell: ({ column }) => column.label },
      { title: t.meaning, cell: ({ column }) => describe(column) },
      ...(isOpen ? [{ title: t.as, cell: ({ column, index }: (typeof rows)[number]) => choose(column, index) }] : []),
    ],
    rows,
    '',
  );
  return html`<section class="stack"><div class="tight"><h2>${t.columns}</h2><p class="soft">${t.columnsText}</p></div>
${isOpen ? html`<form method="post" action="${ofOrg(org.id, '/check/columns')}" class="stack">${token}${all}<button class="quiet">${t.save}</button><p class="soft">${t.saveText}</p></form>` : all}</section>`;
}

function describe({ meaning, as, isNew }: MappedColumn): Html {
  if (as !== null) return tag('good', t.standard(as));
  if (meaning === 'ignored') return tag('wait', t.ignored);
  return tag('info', isNew ? t.newCustom : t.custom);
}

async function save({ workplace, org, form: sent }: OrgCall): Promise<Outcome> {
  const chosen = Object.entries(sent).filter(([name, value]) => name.startsWith(prefix) && value !== '');
  await saveAliases(
    workplace,
    org.id,
    Object.fromEntries(chosen.map(([name, value]) => [name.slice(prefix.length), value])),
  );
  return { to: `${ofOrg(org.id, '/check')}?done=saved` };
}

export const checkRoutes: readonly ConsoleRoute[] = [
  orgPage('/check', 'org.decide', show),
  { ...orgAction('/check', 'org.decide', '/check', check), takesFile: true },
  orgAction('/check/columns', 'org.decide', '/check', save),
];
