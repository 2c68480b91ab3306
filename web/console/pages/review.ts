/** The review of a held import: the reason, the changes, and the decision about exactly those changes. */
import { hasRight } from '../../../operations/accounts/rights.js';
import { type ApprovalRights, readApprovalRights } from '../../../operations/approvals.js';
import { listHeldChanges } from '../../../operations/problems.js';
import { approveCounted, rejectHeldRun } from '../../../operations/runs.js';
import { type Run, summaryOf } from '../../../operations/runsummary.js';
import { type Html, html } from '../html.js';
import { field, notice, pager, withQuery } from '../layout.js';
import { tell, tellSentence } from '../message.js';
import { type ConsoleRoute, type OrgCall, type Outcome, orgAction, orgPage, type Page } from '../route.js';
import { texts } from '../texts/texts.js';
import { moment } from '../texts/words.js';
import { changeTable, ownRun, runPath } from './runview.js';

const t = texts.review;
const pageChanges = 25;
const mostNote = 1_000;

async function show(call: OrgCall): Promise<Page> {
  const { workplace, org, query, account } = call;
  const run = await ownRun(call);
  const title = t.title(run.id);
  if (run.state !== 'held' || run.hold === null)
    return {
      title,
      body: html`<h1>${title}</h1>${notice('info', html`<p>${t.over} <a href="${runPath(run)}">${texts.run.title(run.id)}</a></p>`)}`,
    };
  const from = /^\d{1,6}$/.test(query.from ?? '') ? Number(query.from) : 0;
  const changes = await listHeldChanges(workplace, org, run, { from, most: pageChanges });
  const to = (place: number) => withQuery(call, { from: place });
  const reasons = summaryOf(run)?.hold ?? [];
  const rights = await readApprovalRights(workplace, run);
  const decision = hasRight(account, 'org.decide')
    ? decideForm(call, run, rights, changes?.total ?? null)
    : html`<p>${t.viewer}</p>`;
  return {
    title,
    body: html`<div class="tight"><h1>${title}</h1><p class="lead">${t.lead}</p><p class="no-print"><a href="#decide">${t.decide}</a></p></div>
<section class="stack"><h2>${t.why}</h2>${reasons.map(({ message }) => notice('wait', html`<p>${tell(call, message)}</p>`))}</section>
<section class="tight"><h2>${t.until}</h2><p>${t.untilText} ${t.since(moment(run.hold.at, org.timeZone))}</p></section>
<section class="stack"><div class="head"><h2>${t.changes}</h2>${changes !== null && html`<span class="soft">${texts.run.changesOf(changes.rows.length, changes.total)}</span>`}</div>
${changes === null ? html`<p>${t.unlisted}</p>` : changeTable(t.changes, changes.rows, texts.run.noChanges)}
${changes !== null && pager(from > 0 ? to(Math.max(0, from - pageChanges)) : null, from + pageChanges < changes.listed ? to(from + pageChanges) : null)}</section>
<section class="card" id="decide"><h2>${t.decide}</h2>
${decision}</section>`,
  };
}

/** @param changes how many there are; null: they can't be read. */
function decideForm(call: OrgCall, run: Run, rights: ApprovalRights, changes: number | null): Html {
  const { token, form } = call;
  const { undecidable, unapprovable, ofUnknown } = rights;
  if (undecidable !== null) return notice('info', tellSentence(call, undecidable));
  const approve = changes === null ? t.approveAll : t.approve(changes);
  return html`${unapprovable !== null && notice('wait', tellSentence(call, unapprovable))}${unapprovable === null && ofUnknown.length > 0 && notice('wait', t.unknownSender(ofUnknown))}
<form method="post" action="${runPath(run, '/review')}" class="stack">${token}<input type="hidden" name="digest" value="${run.hold!.digest}">
${field('note', t.note, { hint: t.noteHint, isRequired: false, isLong: true, most: mostNote, value: form.note })}
<div class="row">${unapprovable === null && html`<button name="decision" value="approve">${approve}</button>`}<button class="danger" name="decision" value="discard">${t.discard}</button></div></form>
<p class="soft">${unapprovable === null && t.approveText} ${t.discardText}</p>`;
}

async function decide(call: OrgCall): Promise<Outcome> {
  const { workplace, form } = call;
  const run = await ownRun(call);
  const note = (form.note ?? '').trim().slice(0, mostNote) || null;
  if (form.decision === 'discard') {
    await rejectHeldRun(workplace, String(run.id), note);
    return { to: `${runPath(run)}?done=discarded` };
  }
  await approveCounted(workplace, String(run.id), note, form.digest ?? '');
  return { to: `${runPath(run)}?done=approved` };
}

export const reviewRoutes: readonly ConsoleRoute[] = [
  orgPage('/imports/{run}/review', 'org.read', show),
  orgAction('/imports/{run}/review', 'org.decide', '/imports/{run}/review', decide),
];
