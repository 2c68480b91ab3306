/** Files that stopped an importer: how often, and which of them no importer reads again. */
import type { Db, Queryable } from '../connection.js';
import { recordAudit } from './audit.js';

/**
 * Why an importer was ended while it read a file. `hung`: it no longer answered; `memory`, `time`: the file exceeded the
 * budget of one file; `check_time`: the budget of a check, which refuses the check and not the import.
 */
export type Cause = 'hung' | 'memory' | 'time' | 'check_time';

export interface Quarantined {
  uploadId: number;
  org: string;
  path: string;
  cause: Cause;
  /** false: it stopped an importer once, and is tried again. */
  isRefused: boolean;
  /** Milliseconds since 1970. */
  at: number;
}

/** A machine may stop a process by accident: only a file that does so twice is refused. A budget of time is spent once. */
const mostStrikes: Record<Cause, number> = { hung: 2, memory: 2, time: 1, check_time: 1 };

/** Counts that a file stopped an importer. Returns whether the file is refused from now on. */
export async function strikeUpload(control: Db, uploadId: number, cause: Cause, at: number): Promise<boolean> {
  return control.transact(async (tx) => {
    const upload = await tx('uploads').where({ id: uploadId }).forUpdate().first('org_id', 'path');
    if (upload === undefined) return false;
    const before = await tx('quarantine').where({ upload_id: uploadId }).first();
    // A check that took too long says nothing about the import: strikes of the two are not added up.
    const strikes = before === undefined || before.cause === 'check_time' ? 1 : before.strikes + 1;
    const isRefused = strikes >= mostStrikes[cause];
    const row = { upload_id: uploadId, cause, strikes, at, is_refused: Number(isRefused) };
    await tx('quarantine').insert(row).onConflict('upload_id').merge();
    if (isRefused) await recordQuarantine(tx, upload.org_id, uploadId, { cause, strikes }, at);
    return isRefused;
  });
}

/** A node is lost for many reasons (power, network, an upgrade): only a file that was read at three such losses is refused. */
const mostStrikesOfNodes = 3;

/** Counts that a whole node was lost while it read a file; joins the transaction that takes its run over. */
export async function countLostNode(tx: Queryable, uploadId: number, at: number): Promise<void> {
  const isOfCheck = "quarantine.cause = 'check_time'";
  await tx('quarantine')
    .insert({ upload_id: uploadId, cause: 'hung', strikes: 1, at, is_refused: 0 })
    .onConflict('upload_id')
    .merge({
      ...{ cause: 'hung', at },
      strikes: tx.raw(`CASE WHEN ${isOfCheck} THEN 1 ELSE quarantine.strikes + 1 END`),
      is_refused: tx.raw(`CASE WHEN ${isOfCheck} THEN 0 ELSE quarantine.is_refused END`),
    });
}

/** Takes that back: the node was only paused or cut off. */
export async function forgiveLostNode(db: Queryable, uploadId: number): Promise<void> {
  await db('quarantine').where({ upload_id: uploadId, cause: 'hung' }).where('strikes', '>', 0).decrement('strikes', 1);
  await db('quarantine').where({ upload_id: uploadId, is_refused: 0 }).where('strikes', '<=', 0).delete();
}

/** Refuses a file that too many nodes were lost with; whether it did. */
export async function refuseAfterLosses(control: Db, uploadId: number, at: number): Promise<boolean> {
  return control.transact(async (tx) => {
    const upload = await tx('uploads').where({ id: uploadId }).forUpdate().first('org_id');
    const row = await tx('quarantine').where({ upload_id: uploadId, is_refused: 0 }).first('strikes');
    if (upload === undefined || row === undefined || row.strikes < mostStrikesOfNodes) return false;
    await tx('quarantine').where({ upload_id: uploadId }).update({ is_refused: 1 });
    await recordQuarantine(tx, upload.org_id, uploadId, { cause: 'hung', strikes: row.strikes }, at);
    return true;
  });
}

function recordQuarantine(
  tx: Queryable,
  org: string,
  upload: number,
  detail: { cause: Cause; strikes: number },
  at: number,
): Promise<void> {
  const event = { at, org, actor: 'system', action: 'upload.quarantined', subject: `upload ${upload}` };
  return recordAudit(tx, { ...event, detail: { upload, ...detail } });
}

/** Of these uploads, the ones that are not read, each with its cause. */
export async function findQuarantined(
  db: Queryable,
  uploadIds: readonly number[],
  purpose: 'import' | 'check',
): Promise<Map<number, Cause>> {
  const rows: { upload_id: number; cause: Cause }[] = await db('quarantine')
    .whereIn('upload_id', uploadIds)
    .where({ is_refused: 1 })
    .select('upload_id', 'cause');
  const relevant = rows.filter(({ cause }) => purpose === 'check' || cause !== 'check_time');
  return new Map(relevant.map(({ upload_id, cause }) => [upload_id, cause]));
}

/** Lets importers read files again, as if they had never stopped one. */
export async function endQuarantine(tx: Queryable, uploadIds: readonly number[]): Promise<void> {
  await tx('quarantine').whereIn('upload_id', uploadIds).delete();
}

/** The files that stopped an importer since a time, newest first; at most `limit`. */
export async function listQuarantined(db: Queryable, since: number, limit: number): Promise<Quarantined[]> {
  const rows = await db('quarantine')
    .join('uploads', 'uploads.id', 'quarantine.upload_id')
    .where('at', '>=', since)
    .orderBy('at', 'desc')
    .limit(limit)
    .select('upload_id', 'org_id', 'path', 'cause', 'at', 'is_refused');
  return rows.map((row) => ({
    ...{ uploadId: row.upload_id, org: row.org_id, path: row.path },
    ...{ cause: row.cause, at: row.at, isRefused: row.is_refused === 1 },
  }));
}

/**
 * Gives back the leases of a process that has ended, so that others need not wait for their expiry.
 * @param isAttempt whether its runs count the attempt: false when a file was the cause, whose strikes count instead.
 */
export async function releaseLeases(control: Db, owner: string, isAttempt: boolean): Promise<void> {
  await control.transact(async (tx) => {
    const attempts = isAttempt ? tx.raw('attempts') : tx.raw('attempts - 1');
    await tx('runs')
      .where({ state: 'running', lease_owner: owner })
      .update({ state: 'open', lease_owner: null, lease_until: null, attempts });
    const orgs: string[] = await tx('check_leases').where({ owner }).pluck('org_id');
    await tx('check_leases').where({ owner }).delete();
    if (!isAttempt) await tx('uploads').whereIn('org_id', orgs).whereNull('checked_at').update({ check_attempts: 0 });
  });
}
