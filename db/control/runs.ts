/** Runs: one for each organization and slot, or by hand; claimed with a lease, so that one importer works on one. */

import type { Knex } from 'knex';
import type { Queryable } from '../connection.js';
import { dialectOf } from '../dialect.js';
import { isConflict } from '../error.js';
import { announceRun } from '../postgres/notices.js';
import { countLostNode } from './quarantine.js';
import { isNotedStarted, noteStarted } from './runevents.js';
import { giveHeld, giveQueued, listClaimedIds, unclaimUploads } from './uploads.js';

export const runStates = [
  /** Waits for an importer. */
  'open',
  'running',
  'done',
  /** Given up after several attempts; its files are queued again. */
  'failed',
  /** Planned, and over a limit: waits for an operator's decision (rule G1). */
  'held',
  /** Held, and an operator said no; its files are archived. */
  'rejected',
  /** Held, and a newer version of one of its files came; the others are queued again. */
  'superseded',
] as const;
export type RunState = (typeof runStates)[number];

/** Final states. */
export const endedStates: readonly RunState[] = ['done', 'failed', 'rejected', 'superseded'];

/** The counts of a plan when its run was held. */
export interface Hold {
  /** Milliseconds since 1970. */
  at: number;
  /** The import's date that was planned with, yyyy-mm-dd: an approved plan keeps it. */
  today: string;
  /** Of the plan: equal for equal plans. */
  digest: string;
  /** Paths of the reports that say so; older holds have none. */
  reports?: readonly string[];
}

/** An operator's approval, of one plan and for a time. */
export interface Approval {
  by: string;
  at: number;
  until: number;
  digest: string;
  note: string | null;
}

export interface Run {
  id: number;
  org: string;
  /** upload: opened because a file came. edit: a person's change of one user or team; it is done when it is recorded. */
  kind: 'slot' | 'manual' | 'upload' | 'undo' | 'edit';
  /** yyyy-mm-dd in the organization's time zone; null for runs without a slot. */
  slotDate: string | null;
  /** HH:MM, as the organization had it. */
  slotTime: string | null;
  state: RunState;
  openedAt: number;
  startedAt: number | null;
  finishedAt: number | null;
  attempts: number;
  leaseOwner: string | null;
  leaseUntil: number | null;
  /** The importer's last progress, and the final summary: JSON of the importer's own types. */
  progress: unknown;
  summary: unknown;
  failure: string | null;
  /** The fault of the machine that it waits for, in a sentence; null: none. */
  fault: string | null;
  /** How often in a row such a fault interrupted it. */
  faults: number;
  /** No importer claims it before then, in ms; null: at once. */
  retryAt: number | null;
  /** null: it was never held. */
  hold: Hold | null;
  approval: Approval | null;
  /** The run whose changes this one takes back. */
  undoes: number | null;
  /** Of a run as `claimRun` gives it. */
  claim?: Claim;
}

/** One importer's claim of a run. Of one organization each claim has a larger number than those before it. */
export interface Claim {
  epoch: number;
  /** The importer that had the run before did not give it back: it may be paused, and not dead. */
  isTakeover: boolean;
}

/** Opens a run by hand, or returns an open run that will take the queue, which neither an undo nor an approved run does. */
export async function openManualRun(db: Queryable, org: string, now: number): Promise<number> {
  const waiting = await db('runs')
    .where({ org_id: org, state: 'open' })
    .whereNot({ kind: 'undo' })
    .whereNull('hold')
    .orderBy('id')
    // One that an importer is claiming at this moment may not get a file that was closed just now: it is not open any more then.
    .forUpdate()
    .first();
  if (waiting !== undefined) {
    await db('runs').where({ id: waiting.id }).whereNotNull('retry_at').update({ retry_at: null });
    return waiting.id;
  }
  const [row] = await db('runs')
    .insert({ org_id: org, kind: 'manual', slot_date: null, state: 'open', opened_at: now })
    .returning('id');
  await announceRun(db);
  return row.id;
}

/** Opens a run that undoes the changes of another one. */
export async function openUndoRun(db: Queryable, org: string, undoes: number, now: number): Promise<number> {
  const [row] = await db('runs')
    .insert({ org_id: org, kind: 'undo', slot_date: null, state: 'open', opened_at: now, undoes })
    .returning('id');
  await announceRun(db);
  return row.id;
}

/** Records a person's change of one user or team as a run that is done; its id, which the summary gets too. */
export async function insertEditRun(tx: Queryable, org: string, summary: object, now: number): Promise<number> {
  const times = { opened_at: now, started_at: now, finished_at: now };
  const [row] = await tx('runs')
    .insert({ org_id: org, kind: 'edit', slot_date: null, state: 'done', ...times })
    .returning('id');
  await replaceSummary(tx, row.id, { run: row.id, ...summary });
  return row.id;
}

/** The run of an organization that waits for an operator's decision; null: none does. */
export async function findHeldRun(db: Queryable, org: string): Promise<Run | null> {
  const row = await db('runs').where({ org_id: org, state: 'held' }).orderBy('id').first();
  return row === undefined ? null : fromRow(row);
}

/** A lease that ends later than this many times its length from now was taken under a clock that was wrong. */
const mostLeases = 10;

/** Turns are looked up for so many runs, those that were opened first: a slot may open a hundred thousand at once. */
const mostRanked = 500;
/** How many of the runs that wait the longest a claim chooses from. */
const choice = 64;
/** How much later the turn of a run comes for each byte of its files, and at most: small files go before large ones. */
const msPerByte = 1 / 1000;
const longestDeferralMs = 600_000;

/**
 * Claims a run that waits, or whose importer no longer answers; null when there is none. Of one organization the oldest
 * run goes first, and none while one is held or worked on. Among organizations: first the run that was tried least, so that
 * one that fails delays no other; then by turns, each from when it was opened or its organization had its last turn; a large
 * run is deferred by up to ten minutes. The run has the organization's queued files then.
 * @param id claims that run only.
 * @param mostBytes only runs with files of at most so many bytes together.
 */
export async function claimRun(
  db: Queryable,
  owner: string,
  now: number,
  leaseMs: number,
  id?: number,
  mostBytes = Number.POSITIVE_INFINITY,
  kept?: KeptRuns,
): Promise<Run | null> {
  const isStale = (query: Knex.QueryBuilder) =>
    query.where((either) =>
      either.where('lease_until', '<', now).orWhere('lease_until', '>', now + mostLeases * leaseMs),
    );
  const isSqlite = dialectOf(db) === 'sqlite';
  const turn = turnAt(now);
  const list = async () => {
    const first = db('runs')
      .whereRaw(waitingStates)
      .where((either) => either.where({ state: 'open' }).orWhere((stale) => isStale(stale.where({ state: 'running' }))))
      .whereRaw(`NOT EXISTS (${earlierRun})`)
      .where((pause) => isPauseOver(pause, now))
      .modify((query) => id !== undefined && query.where({ id }))
      .orderBy(['attempts', 'id'])
      .limit(mostRanked)
      .select('id');
    const waiting: Waiting[] = await db('runs')
      .leftJoin('import_turns as turns', 'turns.org_id', 'runs.org_id')
      .whereIn('runs.id', db.from(first.as('first')).select('id'))
      .orderByRaw(`attempts, ${turn}, id`)
      .limit(choice)
      .select('id', 'runs.org_id', 'state', 'attempts', 'started_at', db.raw(`${turn} AS turn_at`));
    return inOrder(db, waiting, mostBytes);
  };
  const candidates = kept === undefined ? await list() : await kept.next(db, now, list);
  for (const candidate of candidates) {
    const claim = {
      state: 'running',
      lease_owner: owner,
      lease_until: now + leaseMs,
      started_at: candidate.started_at ?? now,
      attempts: candidate.attempts + 1,
    };
    try {
      const claimed = await db.transaction(async (tx) => {
        const wanted = () =>
          tx('runs')
            .where({ id: candidate.id, state: candidate.state, attempts: candidate.attempts })
            // The list may be some moments old.
            .whereRaw(`NOT EXISTS (${earlierRun})`)
            .where((pause) => isPauseOver(pause, now))
            .modify((query) => candidate.state === 'running' && isStale(query));
        // Another importer that is just taking it, or applies its plan, is not waited for: the next one is tried.
        if (!isSqlite && (await wanted().forUpdate().skipLocked().first('id')) === undefined) return null;
        const [row] = await wanted().update(claim).returning('*');
        if (row === undefined) return null;
        const epoch = await countClaim(tx, candidate.org_id, now);
        const isTakeover = candidate.state === 'running';
        const run: Run = { ...fromRow(row), claim: { epoch, isTakeover } };
        // On SQLite there is one server: its end is no sign of the file that it read.
        const lost = isTakeover && !isSqlite ? readByLost(run) : null;
        if (lost !== null) await countLostNode(tx, lost, now);
        const ids = run.kind === 'undo' ? [] : await claimFiles(tx, run);
        await noteFirst(tx, run, candidate, ids);
        return run;
      });
      if (claimed !== null) {
        kept?.take(candidate.id);
        return claimed;
      }
    } catch (error) {
      // Another run of the same organization is being worked on, or a file of this one is being replaced: it waits.
      if (!isConflict(error)) throw error;
    }
  }
  return null;
}

/**
 * The runs that one importer found waiting, in their order: to find them costs as much as a small run. It claims from them for up to
 * a second, and only those that still wait.
 */
export class KeptRuns {
  #waiting: Waiting[] = [];
  #readAt = Number.NEGATIVE_INFINITY;

  /** @param list reads them anew. */
  async next(db: Queryable, now: number, list: () => Promise<Waiting[]>): Promise<readonly Waiting[]> {
    if (now >= this.#readAt && now < this.#readAt + keptMs && this.#waiting.length > 0) {
      const ids = this.#waiting.slice(0, looked).map(({ id }) => id);
      const open: number[] = await db('runs').whereIn('id', ids).where({ state: 'open' }).pluck('id');
      const still = this.#waiting.filter(({ id, state }) => state === 'open' && open.includes(id));
      this.#waiting = [...still, ...this.#waiting.slice(looked)];
      // Others of an organization whose run was claimed do not wait any more.
      if (still.length > 0) return still;
    }
    this.#waiting = await list();
    this.#readAt = now;
    return this.#waiting;
  }

  take(id: number): void {
    this.#waiting = this.#waiting.filter((run) => run.id !== id);
  }
}

const keptMs = 1_000;
/** Of the kept runs, so many are looked at before a claim: several importers claim from the same ones. */
const looked = 12;

/** One transaction with the claim: each costs a sync of the disk. A run that was held gets the files of its plan alone. */
function claimFiles(tx: Queryable, run: Run): Promise<number[]> {
  return run.hold === null ? giveQueued(tx, run.org, run.id) : giveHeld(tx, run.id);
}

/** Once for each run. A run of a slot, or for a file, that finds no file says nothing. */
async function noteFirst(tx: Queryable, run: Run, before: Waiting, ids: readonly number[]): Promise<void> {
  const isRepeated = before.started_at !== null;
  if (isRepeated && (await isNotedStarted(tx, run.id))) return;
  const all = isRepeated ? await listClaimedIds(tx, run.id) : ids;
  if (all.length > 0 || run.kind === 'manual' || run.kind === 'undo') await noteStarted(tx, run, all, run.startedAt!);
}

/** No pause is longer, so that a clock that was ahead makes no run wait for its time. */
const longestPauseMs = 600_000;

function isPauseOver(query: Knex.QueryBuilder, now: number): void {
  query
    .whereNull('retry_at')
    .orWhere('retry_at', '<=', now)
    .orWhere('retry_at', '>', now + longestPauseMs);
}

interface Waiting {
  id: number;
  org_id: string;
  state: RunState;
  attempts: number;
  started_at: number | null;
  turn_at: number;
}

/** The states stand here as in the index `runs_unended`, which would not be used with bindings. */
const earlierRun = `SELECT 1 FROM runs AS earlier WHERE earlier.org_id = runs.org_id AND earlier.id < runs.id
  AND earlier.state IN ('open', 'running', 'held')`;
/** As in the index `runs_waiting`. */
const waitingStates = "runs.state IN ('open', 'running')";
/** A turn after `now` was had under a clock that was ahead. */
const turnAt = (now: number) =>
  `CASE WHEN turns.ran_at > opened_at AND turns.ran_at <= ${Math.trunc(now)} THEN turns.ran_at ELSE opened_at END`;

/** Those of at most `mostBytes`, small ones first within limits. */
async function inOrder(db: Queryable, waiting: readonly Waiting[], mostBytes: number): Promise<Waiting[]> {
  if (waiting.length === 0 || (waiting.length === 1 && mostBytes === Number.POSITIVE_INFINITY)) return [...waiting];
  const sizes: { org_id: string; bytes: number | string }[] = await db('uploads')
    .join('blobs', 'blobs.id', 'uploads.blob_id')
    .whereIn(
      'uploads.org_id',
      waiting.map(({ org_id }) => org_id),
    )
    .whereIn('uploads.state', ['queued', 'running'])
    .groupBy('uploads.org_id')
    .select('uploads.org_id')
    .sum({ bytes: 'blobs.size' });
  const bytesOf = new Map(sizes.map(({ org_id, bytes }) => [org_id, Number(bytes)]));
  const ranked = waiting.map((run) => {
    const bytes = bytesOf.get(run.org_id) ?? 0;
    return { run, bytes, at: Number(run.turn_at) + Math.min(bytes * msPerByte, longestDeferralMs) };
  });
  return ranked
    .filter(({ bytes }) => bytes <= mostBytes)
    .sort((a, b) => a.run.attempts - b.run.attempts || a.at - b.at)
    .map(({ run }) => run);
}

/** Notes that an organization had its turn. */
export async function noteTurn(
  db: Queryable,
  org: string,
  turn: { ran_at: number } | { checked_at: number },
): Promise<void> {
  await db('import_turns')
    .insert({ org_id: org, ...turn })
    .onConflict('org_id')
    .merge();
}

/** As importers store it with their run: its progress, the upload that is read now, and whose progress it is. */
export interface StoredProgress {
  upload?: number | null;
  epoch?: number | undefined;
}

/** The upload that the importer before was reading when it was lost; null: none, or that is unknown. */
export function readByLost({ progress, claim }: Run): number | null {
  const { upload = null, epoch } = (progress ?? {}) as StoredProgress;
  return claim?.isTakeover === true && epoch === claim.epoch - 1 ? upload : null;
}

/** Notes the turn of a claim; its number. */
async function countClaim(tx: Queryable, org: string, now: number): Promise<number> {
  const [row] = await tx('import_turns')
    .insert({ org_id: org, ran_at: now, epoch: 1 })
    .onConflict('org_id')
    .merge({ ran_at: now, epoch: tx.raw('import_turns.epoch + 1') })
    .returning('epoch');
  return row!.epoch;
}

/** Where the directory has seen a claim with a larger number, from a newer control database: later claims get larger ones. */
export async function raiseClaims(db: Queryable, org: string, fence: number): Promise<void> {
  await db('import_turns').where({ org_id: org }).where('epoch', '<', fence).update({ epoch: fence });
}

/** Whether the claim of a run holds. */
export async function hasLease(db: Queryable, run: Run): Promise<boolean> {
  return (await owned(db, run).first('id')) !== undefined;
}

/** Whether a run has waited since a time without an importer to take it. */
export async function hasWaitingRun(db: Queryable, since: number): Promise<boolean> {
  const waits = db('runs')
    .where({ state: 'open' })
    .where('opened_at', '<', since)
    .whereRaw(`NOT EXISTS (${earlierRun})`);
  return (await waits.first('id')) !== undefined;
}

/**
 * Keeps importers and approvals from the organization's runs until the transaction ends, which has the organization's lock: no run is
 * opened under it. false: an importer works on one, or is just taking it.
 */
export async function lockIdleRuns(tx: Queryable, org: string): Promise<boolean> {
  const list = () => tx('runs').where({ org_id: org }).whereIn('state', ['open', 'running', 'held']);
  // A claim has its run first, and then waits for the organization: to wait for it here would be a deadlock.
  const locked = dialectOf(tx) === 'sqlite' ? null : await list().forUpdate().skipLocked().select('id');
  const runs: Pick<Run, 'state'>[] = await list().select('state');
  return !runs.some(({ state }) => state === 'running') && (locked === null || locked.length === runs.length);
}

/** Renews the lease and stores the progress; false: the lease was lost to another importer. */
export async function renewLease(db: Queryable, run: Run, leaseUntil: number, progress: unknown): Promise<boolean> {
  return (await owned(db, run).update({ lease_until: leaseUntil, progress: JSON.stringify(progress) })) > 0;
}

/** Gives a claimed run back, to be claimed again. `isAttempt` false takes back the attempt that the claim counted. */
export async function releaseRun(db: Queryable, run: Run, isAttempt: boolean): Promise<void> {
  const attempts = isAttempt ? run.attempts : run.attempts - 1;
  await owned(db, run).update({ state: 'open', lease_owner: null, lease_until: null, attempts });
}

/**
 * Gives a claimed run back after a fault of the machine, which uses up no attempt: no importer claims it before `retryAt`.
 * Where another importer has it already, that one keeps it.
 */
export async function pauseRun(db: Queryable, run: Run, fault: string, retryAt: number): Promise<void> {
  const change = { fault, faults: run.faults + 1, retry_at: retryAt, attempts: run.attempts - 1 };
  if ((await owned(db, run).update({ ...change, state: 'open', lease_owner: null, lease_until: null })) > 0) return;
  await db('runs')
    .where({ id: run.id })
    .whereIn('state', ['open', 'running'])
    .where('attempts', '>', 0)
    .decrement('attempts', 1);
}

/** Gives a run that is not over all its attempts again, and ends its pause; false: it is over. */
export async function retryUnended(db: Queryable, id: number): Promise<boolean> {
  const unended = db('runs').where({ id }).whereIn('state', ['open', 'running']);
  return (await unended.update({ attempts: 0, faults: 0, retry_at: null })) > 0;
}

const noFault = { fault: null, faults: 0, retry_at: null };

/** Ends a run; false: it had ended already, or another importer has it now. */
export async function finishRun(db: Queryable, run: Run, summary: unknown, now: number): Promise<boolean> {
  const ended = { lease_owner: null, lease_until: null, progress: null };
  const change = { state: 'done', finished_at: now, ...ended, ...noFault };
  return (await owned(db, run).update({ ...change, summary: JSON.stringify(summary) })) > 0;
}

/**
 * Removes a run that found no file to work on: it would say nothing. A file that it was given after all is queued again. Where another
 * importer has the run now, that one keeps both.
 */
export async function dropRun(db: Queryable, run: Run): Promise<void> {
  await db.transaction(async (tx) => {
    if ((await owned(tx, run).delete()) > 0) await unclaimUploads(tx, run.id);
  });
}

/** Holds a run with its counts; false: it had ended, or another importer has it now. */
export async function holdRun(db: Queryable, run: Run, hold: Hold, summary: unknown): Promise<boolean> {
  const ended = { lease_owner: null, lease_until: null, progress: null };
  const change = { state: 'held', approval: null, ...ended, ...noFault };
  const counted = { hold: JSON.stringify(hold), summary: JSON.stringify(summary) };
  return (await owned(db, run).update({ ...change, ...counted })) > 0;
}

/** Says where the reports of a held run lie, which is known once they do. */
export async function noteHeldReports(
  tx: Queryable,
  id: number,
  hold: Hold,
  reports: readonly string[],
): Promise<void> {
  await tx('runs')
    .where({ id })
    .update({ hold: JSON.stringify({ ...hold, reports }) });
}

/** Lets an importer have a held run again; false: it is not held. */
export async function reopenRun(db: Queryable, id: number, approval: Approval): Promise<boolean> {
  const change = { state: 'open', attempts: 0, approval: JSON.stringify(approval) };
  const isReopened = (await db('runs').where({ id, state: 'held' }).update(change)) > 0;
  if (isReopened) await announceRun(db);
  return isReopened;
}

/** Ends a run that is held, or approved and not yet claimed; false: it is neither, or was at work on its files already. */
export async function endHeldRun(
  db: Queryable,
  id: number,
  state: 'rejected' | 'superseded',
  now: number,
): Promise<boolean> {
  const waiting = db('runs').where({ id }).whereIn('state', ['held', 'open']).whereNotNull('hold');
  const begun = db('uploads').select(db.raw('1')).where({ run_id: id, state: 'running' });
  return (await waiting.whereNotExists(begun).update({ state, finished_at: now, approval: null })) > 0;
}

/** Replaces the summary of a run that has ended, by one with facts that were unknown before. */
export async function replaceSummary(tx: Queryable, id: number, summary: unknown): Promise<void> {
  await tx('runs')
    .where({ id })
    .update({ summary: JSON.stringify(summary) });
}

/** Gives up on a run, with a sentence for the operator. */
export async function failRun(db: Queryable, run: Run, failure: string, now: number): Promise<boolean> {
  const change = { state: 'failed', finished_at: now, lease_owner: null, lease_until: null, failure, ...noFault };
  return (await owned(db, run).update(change)) > 0;
}

/** null: no such run. */
export async function findRun(db: Queryable, id: number): Promise<Run | null> {
  const row = await db('runs').where({ id }).first();
  return row === undefined ? null : fromRow(row);
}

/** The run of an organization that importers work on next; null: all have ended. */
export async function findFirstUnended(db: Queryable, org: string): Promise<Run | null> {
  const unended = ['open', 'running', 'held'];
  const row = await db('runs').where({ org_id: org }).whereIn('state', unended).orderBy('id').first();
  return row === undefined ? null : fromRow(row);
}

export interface RunFilter {
  /** undefined: of all organizations. */
  org?: string | undefined;
  /** undefined: in any state. */
  states?: readonly RunState[] | undefined;
  /** Only runs that were opened at this time (ms) or later. */
  since?: number | undefined;
  /** Only runs with a smaller number. */
  before?: number | undefined;
  limit: number;
}

/** Newest first. */
export async function listRuns(db: Queryable, org: string, limit = 50): Promise<Run[]> {
  return searchRuns(db, { org, limit });
}

/** Newest first. */
export async function searchRuns(db: Queryable, { org, states, since, before, limit }: RunFilter): Promise<Run[]> {
  const runs = db('runs').orderBy('id', 'desc').limit(limit);
  if (org !== undefined) runs.where({ org_id: org });
  if (states !== undefined) runs.whereIn('state', states);
  if (since !== undefined) runs.where('opened_at', '>=', since);
  if (before !== undefined) runs.where('id', '<', before);
  return (await runs).map(fromRow);
}

/** The organizations with runs that ended since a time (ms). */
export async function listOrgsOfEnded(db: Queryable, since: number): Promise<string[]> {
  return db('runs').where({ state: 'done' }).where('finished_at', '>=', since).distinct().pluck('org_id');
}

/** Imports that were applied from `since` on and before `until` (ms). */
export async function listEnded(db: Queryable, org: string, since: number, until: number): Promise<Run[]> {
  const runs = db('runs').where({ org_id: org, state: 'done' }).whereNotIn('kind', ['edit', 'undo']);
  return (await runs.where('finished_at', '>=', since).where('finished_at', '<', until)).map(fromRow);
}

/** As listRuns, without a person's changes: those that work on files, and undos. */
export async function listImportRuns(db: Queryable, org: string, limit: number): Promise<Run[]> {
  const runs = db('runs').where({ org_id: org }).whereNot({ kind: 'edit' });
  return (await runs.orderBy('id', 'desc').limit(limit)).map(fromRow);
}

/** The runs of imports that have not ended, of these organizations, and the last of each that is done or failed; the newest first. */
export async function listLateRuns(db: Queryable, orgs: readonly string[]): Promise<Run[]> {
  // As in the index `runs_unended`, which would not be used otherwise.
  const unended = db('runs').whereRaw("state IN ('open', 'running', 'held')").select('id');
  const last = db('runs')
    .whereRaw("runs.org_id = orgs.id AND kind <> 'edit' AND state IN ('done', 'failed')")
    .orderBy('runs.id', 'desc')
    .limit(1)
    .select('runs.id');
  const ended: { id: number | null }[] = await db('orgs').whereIn('id', orgs).select({ id: last });
  const ids = ended.flatMap(({ id }) => (id === null ? [] : [id]));
  const runs = db('runs').where((some) => some.whereIn('id', ids).orWhereIn('id', unended.whereIn('org_id', orgs)));
  return (await runs.whereNot({ kind: 'edit' }).orderBy('id', 'desc')).map(fromRow);
}

/** The last of `listImportRuns` of each organization that has one. */
export async function findLastImportRuns(db: Queryable, orgs: readonly string[]): Promise<Map<string, Run>> {
  const last = db('runs').whereIn('org_id', orgs).whereNot({ kind: 'edit' }).groupBy('org_id').max('id');
  const runs = (await db('runs').whereIn('id', last)).map(fromRow);
  return new Map(runs.map((run) => [run.org, run]));
}

function owned(db: Queryable, run: Run) {
  return db('runs').where({ id: run.id, state: 'running', lease_owner: run.leaseOwner });
}

// biome-ignore lint/suspicious/noExplicitAny: a row of the table
function fromRow(row: any): Run {
  return {
    id: row.id,
    org: row.org_id,
    kind: row.kind,
    slotDate: row.slot_date,
    slotTime: row.slot_time,
    state: row.state,
    openedAt: row.opened_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    attempts: row.attempts,
    leaseOwner: row.lease_owner,
    leaseUntil: row.lease_until,
    progress: row.progress === null ? null : JSON.parse(row.progress),
    summary: row.summary === null ? null : JSON.parse(row.summary),
    failure: row.failure,
    fault: row.fault,
    faults: row.faults,
    retryAt: row.retry_at,
    hold: row.hold === null ? null : JSON.parse(row.hold),
    approval: row.approval === null ? null : JSON.parse(row.approval),
    undoes: row.undoes,
  };
}
