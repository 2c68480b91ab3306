/** Runs that are held (rule G1): put aside with their files and reports, approved, rejected, or overtaken by a newer file. */
import type { Db, Queryable } from '../connection.js';
import { recordAudit } from './audit.js';
import { removeCheckReports } from './checks.js';
import { retireHeldReports } from './heldreports.js';
import { supersedeReplaced } from './replaced.js';
import {
  type Approval,
  endHeldRun,
  findHeldRun,
  findRun,
  type Hold,
  holdRun,
  lockIdleRuns,
  noteHeldReports,
  type Run,
  reopenRun,
} from './runs.js';
import { archiveUpload, correctSummary, placeAgain, placeReports, type Settlement } from './settle.js';
import { holdUploads, listHeld, requeueHeld, settleUpload, unclaimFailed } from './uploads.js';

/** Holds a run and publishes its reports; false: another importer has the run now, and nothing was done. */
export async function putAside(
  control: Db,
  run: Run,
  hold: Hold,
  { reports, summary }: Pick<Settlement, 'reports' | 'summary'>,
): Promise<boolean> {
  return control.transact(async (tx) => {
    if (!(await holdRun(tx, run, hold, summary))) return false;
    await holdUploads(tx, run.id);
    // Those of an earlier count.
    await retireHeldReports(tx, run, 'was-held');
    const moved = await placeReports(tx, run.org, reports, hold.at);
    await noteHeldReports(tx, run.id, hold, [...moved.values()]);
    await correctSummary(tx, run.id, summary, moved);
    const { digest } = hold;
    await audit(tx, run, hold.at, 'system', 'run.held', { digest });
    // A file that arrived while the run was planned could not supersede one of the run; now it does.
    const replaced = await supersedeReplaced(tx, run.org, await listHeld(tx, run.id), hold.today, hold.at);
    if (replaced > 0) await overtakeHeld(tx, run.id, hold.at);
    return true;
  });
}

/** Lets a held run be applied, if it still plans the same; false: it is no longer held. */
export async function approveHeld(control: Db, run: Run, approval: Approval): Promise<boolean> {
  return control.transact(async (tx) => {
    if (!(await reopenRun(tx, run.id, approval))) return false;
    const { by, at, until, digest, note } = approval;
    await audit(tx, run, at, by, 'run.approved', { digest, until, note });
    return true;
  });
}

/** How a run was rejected. */
export interface Rejection {
  by: string;
  at: number;
  note: string | null;
  /** Where the rejected files go, by the id of their upload; the run's other files are queued again. */
  archivedAs: ReadonlyMap<number, string>;
  /** Reports on the files, by their paths, and the name that each has beside its file in the archive, too. */
  beside: ReadonlyMap<string, string>;
  settlement: Pick<Settlement, 'reports' | 'summary'>;
}

/**
 * Ends a held run without applying it: its rejected files are archived as refused. Returns the blobs that nothing refers to any more;
 * null: it is no longer held.
 */
export async function rejectHeld(control: Db, run: Run, rejection: Rejection): Promise<string[] | null> {
  const { by, at, note, archivedAs, beside, settlement } = rejection;
  return control.transact(async (tx) => {
    if (!(await endHeldRun(tx, run.id, 'rejected', at))) return null;
    const moved = await placeReports(tx, run.org, settlement.reports, at);
    for (const [path, alsoAs] of beside) await placeAgain(tx, run.org, path, alsoAs, at);
    for (const [from, to] of await retireHeldReports(tx, run, 'was-held', 'report')) moved.set(from, to);
    const uploads = (await listHeld(tx, run.id)).filter(({ id }) => archivedAs.has(id));
    for (const { id } of uploads) {
      const path = archivedAs.get(id)!;
      moved.set(path, await archiveUpload(tx, run.org, id, path, at));
      await settleUpload(tx, id, { state: 'refused', archivedAs: moved.get(path)!, at });
    }
    const others = (await listHeld(tx, run.id)).map(({ id }) => id);
    await requeueHeld(tx, run.id);
    await correctSummary(tx, run.id, settlement.summary, moved, true);
    const requeued = others.length === 0 ? {} : { requeued: others };
    const ids = uploads.map(({ id }) => id);
    await audit(tx, run, at, by, 'run.rejected', { note, uploads: ids, ...requeued });
    return removeCheckReports(tx, run.org, ids);
  });
}

/**
 * One of the files of a run that is held, or approved and not yet claimed, was replaced or taken back, so that the
 * counted plan is void. The others are queued again. Joins the caller's transaction; nothing happens to a run that is neither.
 */
export async function overtakeHeld(tx: Queryable, runId: number | null, at: number): Promise<void> {
  if (runId === null || !(await endHeldRun(tx, runId, 'superseded', at))) return;
  await requeueHeld(tx, runId);
  const run = (await findRun(tx, runId))!;
  await correctSummary(tx, runId, run.summary, await retireHeldReports(tx, run, 'superseded'));
  await audit(tx, run, at, 'system', 'run.superseded', {});
}

/** As overtakeHeld, for every run of an organization that waits for approval. */
export async function overtakeAll(tx: Queryable, org: string, at: number): Promise<void> {
  for (let run = await findHeldRun(tx, org); run !== null; run = await findHeldRun(tx, org))
    await overtakeHeld(tx, run.id, at);
}

/**
 * Ends all runs of an organization that is removed; until the transaction ends none is claimed, and with its row locked none is opened.
 * false: one is being worked on, and nothing was done.
 */
export async function endWaiting(tx: Queryable, org: string, at: number): Promise<boolean> {
  if (!(await lockIdleRuns(tx, org))) return false;
  const runs = tx('runs').where({ org_id: org }).whereIn('state', ['open', 'held']);
  for (const id of await runs.orderBy('id').pluck('id')) {
    await overtakeHeld(tx, id, at);
    const failure = 'the organization is being removed';
    if ((await tx('runs').where({ id, state: 'open' }).update({ state: 'failed', finished_at: at, failure })) > 0)
      await unclaimFailed(tx, id);
  }
  return true;
}

function audit(
  tx: Queryable,
  run: Run,
  at: number,
  actor: string,
  action: string,
  detail: Record<string, unknown>,
): Promise<void> {
  return recordAudit(tx, { at, org: run.org, actor, action, subject: `run ${run.id}`, detail });
}
