/** Home of an organization: its state in one sentence, and the files that wait. */
import { listAlarmsOf } from '../../../operations/alarms.js';
import { findNextSlot } from '../../../operations/orgdetails.js';
import { listQueued } from '../../../operations/queue.js';
import { listRunsOf } from '../../../operations/runs.js';
import type { Run } from '../../../operations/runsummary.js';
import { html } from '../html.js';
import { notice, ofOrg, table, time } from '../layout.js';
import { tell, tellSentence } from '../message.js';
import { type ConsoleRoute, type OrgCall, orgPage, type Page } from '../route.js';
import { texts } from '../texts/texts.js';
import { bytes, dayAndTime } from '../texts/words.js';
import { countsOf, runPath, runTable } from './runview.js';

const t = texts.home;
const shownRuns = 5;
const shownFiles = 50;

async function show(call: OrgCall): Promise<Page> {
  const { workplace, org } = call;
  const runs = (await listRunsOf(workplace, { org: org.id, limit: 50 })).filter(({ kind }) => kind !== 'edit');
  const queued = (await listQueued(workplace, org.id)).slice(0, shownFiles);
  const nextSlotAt = findNextSlot(workplace, org);
  const alarms = await listAlarmsOf(workplace, { org: org.id, resolved: false });
  const last = runs.find(({ state }) => state !== 'superseded');
  return {
    title: t.title,
    body: html`<h1>${org.name}</h1>
<p class="lead"><strong>${last === undefined ? t.none : describe(last, (ms) => dayAndTime(ms, org.timeZone, workplace.now()))}</strong> ${org.enabled ? t.next(dayAndTime(nextSlotAt, org.timeZone, workplace.now()), org.timeZone) : t.off}</p>
${runs.length === 0 && html`<section class="card"><h2>${t.begin}</h2><ol class="steps">${t.beginSteps.map(([to, text]) => html`<li><a href="${ofOrg(org.id, to)}">${text}</a></li>`)}</ol></section>`}
${last !== undefined && html`<p>${last.state === 'held' ? html`<a class="button" href="${runPath(last, '/review')}">${t.review}</a>` : html`<a class="button quiet" href="${runPath(last)}">${t.look}</a>`}</p>`}
${alarms.length > 0 && html`<section class="stack"><h2>${t.alarms}</h2>${alarms.map(({ message }) => notice('wait', tellSentence(call, message)))}</section>`}
<section class="stack"><h2>${t.waiting}</h2>${table(
      t.waiting,
      [
        { title: t.file, cell: ({ path }) => path },
        { title: t.size, cell: ({ size }) => bytes(size), isNumber: true },
        { title: t.arrived, cell: ({ closedAt }) => time(closedAt, org.timeZone) },
        { title: t.note, cell: ({ note }) => note !== null && html`<div class="wide">${tell(call, note)}</div>` },
      ],
      queued,
      t.none2,
    )}</section>
<section class="stack"><h2>${t.recent}</h2>${runTable(t.recent, runs.slice(0, shownRuns), org.timeZone)}</section>`,
  };
}

function describe(run: Run, write: (ms: number) => string): string {
  const { upToDate, faults, refused } = countsOf(run);
  const at = write(run.finishedAt ?? run.openedAt);
  if (run.state === 'held') return t.held(run.hold === null ? at : write(run.hold.at));
  if (run.state === 'open' || run.state === 'running') return t.running;
  if (run.state === 'failed') return t.failed(at);
  if (run.state === 'rejected') return t.discarded(at);
  if (refused > 0) return t.refused(at, refused);
  return t.result(at, upToDate, faults);
}

export const homeRoutes: readonly ConsoleRoute[] = [orgPage('', 'org.read', show)];
