/** Why a file did not arrive: one page about an organization's uploads of a name, its refused logins, and its next import. */
import { type Arrivals, traceArrivals } from '../../../operations/arrivals.js';
import { OperationError } from '../../../operations/error.js';
import { type Html, html, type Value } from '../html.js';
import { facts, field, notice, ofOrg, table, tag, time } from '../layout.js';
import { type Call, type ConsoleRoute, type Page, page } from '../route.js';
import { texts } from '../texts/texts.js';
import { bytes, dayAndTime } from '../texts/words.js';
import { connectionTable } from './connectionkeys.js';
import { runPath } from './runview.js';

const t = texts.arrivals;

async function show(call: Call): Promise<Page> {
  const { workplace, query } = call;
  const org = (query.org ?? '').trim().slice(0, 64);
  const name = (query.name ?? '').trim().slice(0, 500);
  const found = org === '' ? null : await find(call, org, name);
  return {
    title: t.title,
    body: html`<div class="tight"><h1>${t.title}</h1><p class="lead">${t.lead}</p></div>
<form method="get" class="row" role="search">${field('org', t.organization, { value: org, hint: t.orgHint })}${field('name', t.name, { value: name, hint: t.nameHint, isRequired: false })}<button>${t.find}</button></form>
${found === 'none' ? notice('bad', t.noOrg) : found !== null && showFound(found, name, workplace.now())}`,
  };
}

async function find({ workplace }: Call, org: string, name: string): Promise<Arrivals | 'none'> {
  return traceArrivals(workplace, org, name).catch((error: unknown) => {
    if (error instanceof OperationError && error.code === 'not_found') return 'none';
    throw error;
  });
}

function showFound(found: Arrivals, name: string, now: number): Html {
  const { org, files, cutOff, refused, lastLogin, nextSlotAt } = found;
  return html`<section class="stack"><h2>${t.findings}</h2>${findingsOf(found, name, now).map(([tone, text]) => notice(tone, text))}</section>
<section class="stack"><h2>${t.files}</h2>${table(
    t.files,
    [
      { title: t.file, cell: ({ path }) => path },
      { title: t.arrived, cell: ({ arrivedAt }) => time(arrivedAt, org.timeZone) },
      { title: t.state, cell: ({ state }) => tag(t.states[state][0], t.states[state][1]) },
      {
        title: t.why,
        cell: ({ state, note, run }) => [
          note ?? (state === 'queued' && t.waits(dayAndTime(nextSlotAt, org.timeZone, now))),
          run !== null && html`<a href="${runPath({ org: org.id, id: run })}">${texts.run.title(run)}</a>`,
        ],
      },
      { title: t.from, cell: ({ address }) => address },
    ],
    files,
    t.noFiles,
  )}</section>
${
  cutOff.length > 0 &&
  html`<section class="stack"><div class="tight"><h2>${t.cutOff}</h2><p class="soft">${t.cutOffText}</p></div>${table(
    t.cutOff,
    [
      { title: t.file, cell: ({ path }) => path },
      { title: t.last, cell: ({ at }) => time(at, org.timeZone) },
      { title: t.kept, cell: (one) => (one.bytes === null ? t.open : bytes(one.bytes)) },
    ],
    cutOff,
    '',
  )}</section>`
}
<section class="stack"><h2>${t.refused}</h2>${refused.length === 0 ? html`<p class="soft">${t.noRefused}</p>` : connectionTable(refused, org.timeZone)}</section>
<section class="stack"><h2>${t.organization}</h2><div class="card">${facts([
    [t.organization, html`<a href="${ofOrg(org.id, '/settings')}">${org.name}</a>`],
    [t.lastLogin, lastLogin === null ? t.never : [time(lastLogin.at, org.timeZone), ` ${lastLogin.address ?? ''}`]],
    [t.next, time(nextSlotAt, org.timeZone)],
  ])}</div></section>`;
}

/** The reasons that hold a file up, the most likely one first. */
function findingsOf(found: Arrivals, name: string, now: number): ['bad' | 'wait' | 'info' | 'good', Value][] {
  const { org, hasPlan, heldRun, files, cutOff, refused, lastLogin, nextSlotAt } = found;
  const newest = files[0];
  const since = newest?.arrivedAt ?? 0;
  const later = refused.filter(({ at }) => at > Math.max(since, lastLogin?.at ?? 0));
  const findings: (['bad' | 'wait' | 'info' | 'good', Value] | false)[] = [
    !hasPlan && ['bad', t.noPlan],
    hasPlan && !org.enabled && ['bad', t.off],
    later.length > 0 && [
      'bad',
      t.refusedLater(later.length, texts.connection.reasons[later[0]!.reason ?? '']?.[0] ?? later[0]!.reason!),
    ],
    cutOff[0] !== undefined && cutOff[0].at > since && ['wait', t.wasCutOff(cutOff[0].path)],
    newest?.state === 'stored' && ['wait', `${newest.path}: ${newest.note}`],
    newest?.state === 'refused' && ['bad', t.wasRefused(newest.path)],
    heldRun !== null && [
      'wait',
      html`<p><a href="${runPath({ org: org.id, id: heldRun }, '/review')}">${t.held}</a></p>`,
    ],
    newest?.state === 'queued' &&
      heldRun === null && ['info', t.queued(newest.path, dayAndTime(nextSlotAt, org.timeZone, now))],
    newest?.state === 'imported' && ['good', t.imported(newest.path)],
    newest === undefined && ['bad', name === '' ? t.nothing : t.nothingNamed(name)],
    newest === undefined && later.length === 0 && ['info', t.noTrace],
  ];
  return findings.filter((finding) => finding !== false);
}

export const arrivalRoutes: readonly ConsoleRoute[] = [page('/arrivals', 'server.read', show)];
