/** The undo of an import: the values that it would restore and leave alone first, then the undo itself. */
import { OperationError } from '../../../operations/error.js';
import { takePlace } from '../../../operations/places.js';
import { openUndo, previewUndoOf, type UndoneValue } from '../../../operations/runs.js';
import { html } from '../html.js';
import { type Column, table } from '../layout.js';
import { type ConsoleRoute, type OrgCall, type Outcome, orgAction, orgPage, type Page } from '../route.js';
import { texts } from '../texts/texts.js';
import { ownRun, runPath } from './runview.js';

const t = texts.undo;
const mostShown = 50;
/** Each plans in a database of its own. */
const mostAtOnce = 2;

async function show(call: OrgCall): Promise<Page> {
  const { workplace, busy, token } = call;
  const run = await ownRun(call);
  const leave = takePlace(busy, 'plan of an undo', mostAtOnce);
  if (leave === null) throw new OperationError('unavailable', t.busy);
  const shown: Record<'back' | 'kept', UndoneValue[]> = { back: [], kept: [] };
  const totals = { back: 0, kept: 0 };
  try {
    await previewUndoOf(workplace, String(run.id), async ({ undo }, list) => {
      Object.assign(totals, { back: undo?.restored ?? 0, kept: undo?.kept ?? 0 });
      for (const which of ['back', 'kept'] as const)
        for await (const values of list(which, mostShown)) shown[which].push(...values);
    });
  } finally {
    leave();
  }
  const common: Column<UndoneValue>[] = [
    { title: t.who, cell: ({ name }) => name },
    { title: t.field, cell: ({ column }) => column },
    { title: t.now, cell: ({ after }) => after },
  ];
  const back: Column<UndoneValue> = { title: t.restored, cell: ({ before }) => html`<ins>${before}</ins>` };
  const why: Column<UndoneValue> = { title: t.why, cell: ({ leftAlone }) => leftAlone };
  const title = t.title(run.id);
  return {
    title,
    body: html`<div class="tight"><h1>${title}</h1><p class="lead">${t.lead}</p></div>
<section class="stack"><h2>${t.back(shown.back.length, totals.back)}</h2>${table(t.back(0, 0), [...common, back], shown.back, t.nothingBack)}</section>
<section class="stack"><h2>${t.kept(shown.kept.length, totals.kept)}</h2>${table(t.kept(0, 0), [...common, why], shown.kept, t.nothingKept)}</section>
<section class="card">${totals.back > 0 && html`<form method="post" action="${runPath(run, '/undo')}">${token}<button class="danger">${t.submit(totals.back)}</button></form><p class="soft">${t.submitText}</p>`}<p><a href="${runPath(run)}">${t.cancel}</a></p></section>`,
  };
}

async function undo(call: OrgCall): Promise<Outcome> {
  const run = await ownRun(call);
  const id = await openUndo(call.workplace, String(run.id));
  return { to: `${runPath({ org: run.org, id })}?done=undone` };
}

export const undoRoutes: readonly ConsoleRoute[] = [
  orgPage('/imports/{run}/undo', 'org.operate', show),
  orgAction('/imports/{run}/undo', 'org.operate', '/imports/{run}/undo', undo),
];
