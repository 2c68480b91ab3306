/** The imports of an organization, and one of them: its problems beside their rows, and its changes. */
import { hasRight } from '../../../operations/accounts/rights.js';
import { describeAfter, nameColumn, type RunChange, withRunChanges } from '../../../operations/changes.js';
import { OperationError } from '../../../operations/error.js';
import { readFileContent } from '../../../operations/files.js';
import { type FileOutcome, filesOf, listProblemRows } from '../../../operations/problems.js';
import { listRunsOf } from '../../../operations/runs.js';
import { type Run, summaryOf } from '../../../operations/runsummary.js';
import { type Html, html, path, type Value } from '../html.js';
import { facts, notice, ofOrg, pager, table, time, withQuery } from '../layout.js';
import { liveScriptPath } from '../livescript.js';
import { tell, tellSentence } from '../message.js';
import { type ConsoleRoute, type OrgCall, type Outcome, orgPage, type Page } from '../route.js';
import { texts } from '../texts/texts.js';
import { amount, bytes } from '../texts/words.js';
import { describeRunning } from './live.js';
import { severityTag, showProblem } from './problemview.js';
import { ownRun, runPath, runTable, stateTag } from './runview.js';

const t = texts.run;
const pageRuns = 50;
const pageProblems = 50;
const pageFiles = 5;
/** Of each file, until one of them is chosen. */
const firstProblems = 10;
const shownChanges = 200;
/** Users and teams: the changes of more are on a page of their own, since putting them in order takes a while. */
const mostInline = 2_000;
const refreshSeconds = 3;

async function list(call: OrgCall): Promise<Page> {
  const { workplace, org, query } = call;
  const before = /^\d{1,15}$/.test(query.before ?? '') ? Number(query.before) : undefined;
  const runs = await listRunsOf(workplace, { org: org.id, before, limit: pageRuns + 1 });
  const next = runs.length > pageRuns ? withQuery(call, { before: runs[pageRuns - 1]!.id }) : null;
  return {
    title: texts.imports.title,
    body: html`<div class="tight"><h1>${texts.imports.title}</h1><p class="soft">${texts.imports.lead}</p></div>
${runTable(texts.imports.title, runs.slice(0, pageRuns), org.timeZone)}
${pager(before === undefined ? null : ofOrg(org.id, '/imports'), next)}`,
  };
}

async function show(call: OrgCall): Promise<Page> {
  const { org } = call;
  const run = await ownRun(call);
  const summary = summaryOf(run);
  const isWorking = run.state === 'open' || run.state === 'running';
  const files = summary?.files ?? [];
  return {
    title: t.title(run.id),
    ...(isWorking && { refreshSeconds, script: liveScriptPath }),
    body: html`<div class="head"><h1>${t.title(run.id)}</h1>${stateTag(run)}</div>
<div class="card">${facts([
      [texts.imports.kind, texts.imports.kinds[run.kind]],
      [texts.imports.begun, time(run.openedAt, org.timeZone)],
      ...(run.undoes === null
        ? []
        : [['', html`<a href="${runPath({ org: org.id, id: run.undoes })}">${t.undone(run.undoes)}</a>`] as const]),
      ...(summary?.note == null ? [] : [[t.note, summary.note] as const]),
    ])}</div>
${run.failure !== null && notice('bad', html`<p><strong>${t.failure}:</strong> ${tellSentence(call, run.failure)}</p>`)}
${isWorking && showProgress(run)}
${run.state === 'held' && html`<p><a class="button" href="${runPath(run, '/review')}">${t.review}</a></p>`}
${await showFiles(call, run, files)}
${run.state === 'done' && (countChanged(run) > mostInline ? html`<p><a class="button quiet" href="${runPath(run, '/changes')}">${t.showChanges}</a></p>` : await showChanges(call, run))}
${run.state === 'done' && hasRight(call.account, 'org.operate') && html`<p class="no-print"><a class="button quiet" href="${runPath(run, '/undo')}">${t.undo}</a></p>`}
<p class="soft no-print">${t.print}</p>`,
  };
}

/** Its parts change while the import runs; screen readers hear of each phase alone. */
function showProgress(run: Run): Html {
  const { phase, ...others } = describeRunning(run);
  const part = (name: string, text: string | undefined) => html`<span data-part="${name}">${text}</span> `;
  return html`<div class="notice info" data-live="${runPath(run, '/progress')}" data-reload><p><strong>${t.progress}:</strong> <span role="status">${part('phase', phase)}</span>${Object.entries(others).map(([name, text]) => part(name, text))}</p><p>${t.refresh}</p></div>`;
}

/** A page of the files: each reads its report. */
async function showFiles(call: OrgCall, run: Run, files: readonly FileOutcome[]): Promise<Html> {
  const { query } = call;
  const chosen = /^\d{1,6}$/.test(query.file ?? '') ? Number(query.file) : null;
  const given = /^\d{1,6}$/.test(query.files ?? '') ? Number(query.files) : 0;
  const wanted = Math.min(chosen ?? given, Math.max(0, files.length - 1));
  const from = wanted - (wanted % pageFiles);
  const shown: Html[] = [];
  for (const [index, file] of files.slice(from, from + pageFiles).entries())
    shown.push(await showFile(call, run, file, from + index, files.length));
  const to = (place: number) => withQuery(call, { files: place, file: null, kind: null, from: null });
  return html`${files.length > pageFiles && html`<h2>${t.filesOf(from + 1, Math.min(from + pageFiles, files.length), files.length)}</h2>`}${shown}
${pager(from > 0 ? to(from - pageFiles) : null, from + pageFiles < files.length ? to(from + pageFiles) : null)}`;
}

async function showFile(call: OrgCall, run: Run, file: FileOutcome, index: number, files: number): Promise<Html> {
  const { refusal, problems = [] } = file;
  const isChosen = call.query.file === String(index) || files === 1;
  const places = [
    file.rejected !== null && html`<a class="button" href="${download(run, file.rejected)}">${t.mend}</a>`,
    file.report !== null && html`<a class="button quiet" href="${download(run, file.report)}">${t.report}</a>`,
    file.archivedAs !== null &&
      html`<a class="button quiet" href="${download(run, file.archivedAs)}">${t.original}</a>`,
  ];
  return html`<section class="card" aria-labelledby="file-${index}"><div class="head"><h2 id="file-${index}">${file.path ?? file.name}</h2><span class="soft">${t.rows(file.rows)} · ${bytes(file.bytes)}</span></div>
${refusal !== null && notice('bad', html`<p><strong>${t.refusedTitle}</strong> ${refusal.line !== null && `${t.line(refusal.line)}: `}${tell(call, refusal.message)}</p>`)}
${countTable(file)}
${problems.length > 0 ? kindTable(call, problems, index) : refusal === null && html`<p>${t.noProblems}</p>`}
${file.rejected !== null && html`<p class="no-print">${t.mendText}</p>`}
<div class="row no-print">${places}</div>
${problems.length > 0 && (await showProblems(call, file, index, isChosen))}</section>`;
}

function countTable({ users, teams }: FileOutcome): Html {
  const words = texts.counts;
  const row = ({ created, updated, deactivated, unchanged }: FileOutcome['users']) =>
    [words.created(created), words.updated(updated), words.deactivated(deactivated), words.unchanged(unchanged)].join(
      ' · ',
    );
  const isAny = (counts: FileOutcome['users']) => Object.values(counts).some((count) => count > 0);
  return facts([
    ...(isAny(users) || !isAny(teams) ? [[texts.imports.users, row(users)] as const] : []),
    ...(isAny(teams) ? [[texts.imports.teams, row(teams)] as const] : []),
  ]);
}

function kindTable(call: OrgCall, problems: NonNullable<FileOutcome['problems']>, index: number): Html {
  return table(
    t.kinds,
    [
      {
        title: t.kind,
        isText: true,
        cell: ({ message, column }) =>
          html`${column !== null && !message.includes(`"${column}"`) && html`<strong>${column}:</strong> `}${tell(call, message)}`,
      },
      { title: t.severity, cell: ({ severity }) => severityTag(severity) },
      { title: t.count, cell: ({ count }) => amount(count), isNumber: true },
      {
        title: '',
        cell: ({ code }) =>
          html`<a class="no-print whole" href="${`${withQuery(call, { file: index, kind: code, from: null })}#problems-${index}`}">${t.only}<span class="hidden"> ${code}</span></a>`,
      },
    ],
    problems,
    t.noProblems,
  );
}

async function showProblems(call: OrgCall, file: FileOutcome, index: number, isChosen: boolean): Promise<Html> {
  const { query, workplace, org } = call;
  const from = isChosen && /^\d{1,9}$/.test(query.from ?? '') ? Number(query.from) : 0;
  const code = !isChosen || query.kind === '' ? undefined : query.kind;
  const most = isChosen ? pageProblems : firstProblems;
  const page = await listProblemRows(workplace, org, file, { code, from, most });
  if (page === null) return html`<p>${t.unreadable}</p>`;
  const to = (change: Record<string, string | number | null>) =>
    `${withQuery(call, { file: index, kind: null, from: null, ...change })}#problems-${index}`;
  const more =
    isChosen || page.total <= most
      ? pager(
          from > 0 ? to({ kind: code ?? null, from: Math.max(0, from - most) }) : null,
          from + most < page.total ? to({ kind: code ?? null, from: from + most }) : null,
        )
      : html`<p class="no-print"><a href="${to({})}">${t.allOf(page.total)}</a></p>`;
  return html`<h3 id="problems-${index}">${code === undefined ? t.problems : t.showing(code)}</h3>
${code !== undefined && html`<p class="no-print"><a href="${to({})}">${t.all}</a></p>`}
${page.problems.map((problem) => showProblem(call, problem, page.header))}
${more}`;
}

function countChanged(run: Run): number {
  const summary = summaryOf(run);
  if (summary === null) return 0;
  return [summary.users, summary.teams].reduce(
    (sum, { created, updated, stubs }) => sum + created + updated + stubs,
    0,
  );
}

async function listChanges(call: OrgCall): Promise<Outcome> {
  const run = await ownRun(call);
  if (run.state !== 'done') return { to: runPath(run) };
  const title = `${t.title(run.id)}: ${t.changes}`;
  return {
    title,
    body: html`<div class="tight"><h1>${t.title(run.id)}</h1><p><a href="${runPath(run)}">${t.back}</a></p></div>${await showChanges(call, run, true)}`,
  };
}

/** The first changes, and the way to the others; on the page of its own the part that the query names. */
async function showChanges(call: OrgCall, run: Run, isPaged = false): Promise<Html> {
  const { workplace, org, query } = call;
  const [, before, rank, id] = (isPaged && /^(\d{1,9})-(\d)-(\d{1,15})$/.exec(query.after ?? '')) || [];
  const from = rank === undefined ? null : { rank: Number(rank), id: Number(id) };
  const skipped = Number(before ?? 0);
  const changes: RunChange[] = [];
  let total = 0;
  await withRunChanges(workplace, String(run.id), async ({ total: all, list: read }) => {
    total = all;
    for await (const change of read(shownChanges + 1, from)) changes.push(change);
  });
  const shown = changes.slice(0, shownChanges);
  const place = shown.at(-1)?.place;
  const isMore = changes.length > shownChanges && place !== undefined;
  const after = isMore ? `${skipped + shown.length}-${place.rank}-${place.id}` : null;
  const count = isPaged ? t.changesFrom(skipped + 1, skipped + shown.length, total) : t.changesOf(shown.length, total);
  return html`<section class="stack"><div class="head"><h2>${t.changes}</h2>${shown.length > 0 && html`<span class="soft">${total <= shownChanges ? t.changesOf(total, total) : count}</span>`}</div>
${table(
  t.changes,
  [
    { title: t.who, cell: (change) => nameOf(change, org.id) },
    { title: t.field, cell: (change) => (change.field === '' ? t.created : nameColumn(change)) },
    { title: t.before, cell: ({ before: value }) => value !== null && html`<del>${value}</del>` },
    { title: t.after, cell: (change) => html`<ins>${describeAfter(change)}</ins>` },
    { title: t.source, cell: ({ line }) => line, isNumber: true },
  ],
  shown,
  t.noChanges,
)}
${isPaged ? pager(from === null ? null : withQuery(call, { after: null }), after === null ? null : withQuery(call, { after })) : after !== null && html`<p class="no-print"><a href="${runPath(run, '/changes')}">${t.allChanges}</a></p>`}</section>`;
}

function nameOf({ entity, name }: RunChange, org: string): Value {
  return entity === 'user' ? html`<a href="${path`/orgs/${org}/people/${name}`}">${name}</a>` : name;
}

function download(run: Run, file: string): string {
  return `${runPath(run, '/download')}?path=${encodeURIComponent(file)}`;
}

/** Only files of this run. @throws OperationError `not_found` */
async function send(call: OrgCall): Promise<Outcome> {
  const run = await ownRun(call);
  const wanted = call.query.path ?? '';
  if (!filesOf(run).includes(wanted)) throw new OperationError('not_found', 'this import has no such file');
  const fileName = wanted.slice(wanted.lastIndexOf('/') + 1);
  return { content: readFileContent(call.workplace, call.org.id, wanted, call.signal), fileName };
}

export const importRoutes: readonly ConsoleRoute[] = [
  orgPage('/imports', 'org.read', list),
  orgPage('/imports/{run}', 'org.read', show),
  orgPage('/imports/{run}/changes', 'org.read', listChanges),
  orgPage('/imports/{run}/download', 'org.read', send),
];
