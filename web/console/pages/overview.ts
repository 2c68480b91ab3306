/** The overview of all organizations: the state of the server, a light for each organization, and the coming slots. */

import { hasRight } from '../../../operations/accounts/rights.js';
import { type OrgGlance, readOverview, type SlotHour } from '../../../operations/overview.js';
import { countOpenSessions } from '../../../operations/sessions.js';
import { readCounts } from '../../../operations/status.js';
import { type Html, html, type Value } from '../html.js';
import { field, ofOrg, pager, table, tag, time, withQuery } from '../layout.js';
import { liveScriptPath } from '../livescript.js';
import type { Call, Page } from '../route.js';
import { texts } from '../texts/texts.js';
import { clock } from '../texts/words.js';
import { describeCounts } from './live.js';
import { problemTags, runPath } from './runview.js';

const t = texts.overview;
const pageOrgs = 50;
/** Pages about all organizations have one time zone. */
const zone = 'UTC';

export async function showOverview(call: Call): Promise<Page> {
  const { workplace, query, account } = call;
  const from = /^\d{1,6}$/.test(query.from ?? '') ? Number(query.from) : 0;
  const search = query.search ?? '';
  const status = await readCounts(workplace);
  const { orgs, total, timeline } = await readOverview(workplace, { search, from, most: pageOrgs });
  const at = workplace.now();
  const live = mapParts(describeCounts(status));
  const to = (place: number) => withQuery(call, { from: place });
  return {
    title: t.title,
    script: liveScriptPath,
    body: html`<div class="head"><h1>${t.title}</h1>${hasRight(account, 'server.operate') && html`<a class="button" href="/new">${t.add}</a>`}</div>
<div class="grid" data-live="/progress">
${card(t.runs, live.runs, status.runs.failedLastDay > 0 && tag('bad', t.failedDay(status.runs.failedLastDay)))}
${card(t.queue, live.queue, status.queue.oldestAt !== null && t.oldest(at - status.queue.oldestAt))}
${card(t.sessions, html`<a href="/network">${t.sessionsText(await countOpenSessions(workplace))}</a>`, null)}
${card(t.disk, t.diskText(status.disk.freeBytes, status.disk.totalBytes), html`<meter min="0" max="${status.disk.totalBytes}" value="${status.disk.totalBytes - status.disk.freeBytes}" aria-label="${t.disk}"></meter>`)}
${card(t.backup, status.lastBackupAt === null ? t.noBackup : t.backupText(at - status.lastBackupAt), null)}
${card(t.importer, status.importerSeenAt === null ? t.noImporter : t.importerText(at - status.importerSeenAt), null)}
</div>
<form method="get" action="/" class="row" role="search">${field('search', t.search, { type: 'search', value: search, isRequired: false })}<button class="quiet">${t.find}</button></form>
${table(
  t.title,
  [
    {
      title: t.organization,
      cell: ({ org }) => html`<a href="${ofOrg(org.id)}">${org.name}</a> <span class="soft small">${org.id}</span>`,
    },
    { title: t.light, cell: showLight },
    { title: t.lastFile, cell: ({ lastFileAt }) => lastFileAt !== null && time(lastFileAt, zone) },
    {
      title: t.last,
      cell: ({ lastRun }) =>
        lastRun !== null &&
        html`<a href="${runPath(lastRun)}">${time(lastRun.openedAt, zone)}</a><br>${problemTags(lastRun)}`,
    },
    { title: t.queued, cell: ({ queued }) => queued, isNumber: true },
    { title: t.next, cell: ({ org, nextSlotAt }) => org.enabled && time(nextSlotAt, zone) },
  ],
  orgs,
  search === '' ? t.none : t.empty,
)}
${pager(from > 0 ? to(Math.max(0, from - pageOrgs)) : null, from + pageOrgs < total ? to(from + pageOrgs) : null)}
<section class="stack"><h2>${t.slots}</h2>${showTimeline(timeline)}</section>`,
  };
}

/** One line for each hour in which imports begin, as long as they are many. */
function showTimeline(hours: readonly SlotHour[]): Html {
  if (hours.length === 0) return html`<p class="soft">${t.noSlots}</p>`;
  const most = Math.max(...hours.map(({ count }) => count));
  const lines = hours.map(({ at, count, slots }) => {
    const names = slots.map(
      ({ org, name, at: slot }, index) =>
        html`${index > 0 && ', '}<a href="${ofOrg(org)}">${name}</a> <span class="soft">${clock(slot, zone)}</span>`,
    );
    const more = count > slots.length && html`, <span class="soft">${t.moreSlots(count - slots.length)}</span>`;
    return html`<li><span class="whole">${time(at, zone)}</span><meter min="0" max="${most}" value="${count}" aria-label="${t.slotCount(count)}"></meter><span>${names}${more}</span></li>`;
  });
  return html`<ol class="timeline">${lines}</ol>`;
}

/** Texts that change while the page is open. */
function mapParts(parts: Readonly<Record<string, string>>) {
  const write = ([name, text]: [string, string]): [string, Html] => [
    name,
    html`<span data-part="${name}">${text}</span>`,
  ];
  return Object.fromEntries(Object.entries(parts).map(write));
}

function card(title: string, figure: Value, more: Value): Html {
  return html`<section class="card tight"><h2 class="small soft">${title}</h2><p><strong>${figure}</strong></p>${more !== null && more !== false && html`<div class="small">${more}</div>`}</section>`;
}

function showLight({ light, alarms, heldRun, hasFailed, expiringKeys, keyRequests, org }: OrgGlance): Value {
  const [tone, word] = t.lights[light];
  const reasons = [
    alarms > 0 && t.alarms(alarms),
    hasFailed && t.failed,
    heldRun !== null && html`<a href="${runPath({ org: org.id, id: heldRun }, '/review')}">${t.held}</a>`,
    expiringKeys > 0 && t.keys(expiringKeys),
    keyRequests > 0 && html`<a href="${ofOrg(org.id, '/connection')}">${t.keyRequests(keyRequests)}</a>`,
  ].filter((reason) => reason !== false);
  return [tag(tone, word), ' ', reasons.map((reason, index) => [index > 0 && ', ', reason])];
}
