/** Files that wait to be checked before any import, and the lease under which one importer checks those of an organization. */
import type { Queryable } from '../connection.js';
import { recordAudit } from './audit.js';
import { type BlobRow, deleteBlobsWithoutNames, insertBlob } from './blobs.js';
import { deleteEntry, ensureFolders, insertEntry, lockEntry } from './entries.js';
import { type ExpiredFile, expiredColumns } from './retention.js';
import type { CheckVerdict } from './uploads.js';

/** dry_run: a file below `/dry-run`; queued: a file that the next slot imports. */
export type CheckKind = 'dry_run' | 'queued';

/** Unchecked files of one organization. */
export interface Unchecked {
  org: string;
  kind: CheckKind;
  /** When the first and the last of them were complete, in ms. */
  oldestAt: number;
  newestAt: number;
  files: number;
  /** Their sizes together. */
  bytes: number;
  /** When a check of the organization began last, in ms. */
  turnAt: number | null;
  /** Queued files that were checked before, and are planned again beside these. */
  beside: { files: number; bytes: number };
}

/** A file whose check was begun this often crashes the checker: its import will report the fault. */
const mostAttempts = 3;

/** Dry runs that are made together, and their bytes: one large file makes one of its own. */
const mostDryRuns = 50;
const mostDryRunBytes = 8 * 1024 ** 2;
/** How much later the turn of a check comes for each byte, and at most. */
const msPerByte = 1 / 1000;
const longestDeferralMs = 600_000;

/**
 * Dry runs, whose senders wait, come first. Organizations take turns, each from when its oldest file came or it had its last
 * turn; large files are deferred by up to ten minutes. Of queued files only those that wait for their slot.
 */
export async function listUnchecked(db: Queryable): Promise<Unchecked[]> {
  const rows: {
    org_id: string;
    state: CheckKind;
    oldest: number;
    newest: number;
    files: number;
    bytes: number;
    turn: number | null;
  }[] = await db('uploads')
    .join('orgs', 'orgs.id', 'uploads.org_id')
    .join('blobs', 'blobs.id', 'uploads.blob_id')
    .leftJoin('import_turns', 'import_turns.org_id', 'uploads.org_id')
    .where((wanted) =>
      wanted
        .where({ state: 'dry_run' })
        .orWhere((queued) =>
          queued
            .where({ state: 'queued', enabled: 1 })
            .whereNot('orgs.options', 'like', '%"earlyCheck":false%')
            .whereNot('orgs.options', 'like', '%"cadence":"on-upload"%'),
        ),
    )
    .whereNull('uploads.checked_at')
    .where('check_attempts', '<', mostAttempts)
    .groupBy('uploads.org_id', 'state')
    .select('uploads.org_id', 'state')
    .min({ oldest: 'closed_at' })
    .max({ newest: 'closed_at', turn: 'import_turns.checked_at' })
    .count({ files: '*' })
    .sum({ bytes: 'blobs.size' });
  const turnOf = (row: (typeof rows)[number]) =>
    Math.max(row.oldest, row.turn ?? 0) + Math.min(Number(row.bytes) * msPerByte, longestDeferralMs);
  rows.sort((a, b) => (a.state === b.state ? turnOf(a) - turnOf(b) : a.state < b.state ? -1 : 1));
  const hasQueued = rows.some(({ state }) => state === 'queued');
  const planned = hasQueued ? await findPlannedAgain(db) : new Map<string, Unchecked['beside']>();
  return rows.map((row) => ({
    org: row.org_id,
    kind: row.state,
    oldestAt: row.oldest,
    newestAt: row.newest,
    files: Number(row.files),
    bytes: Number(row.bytes),
    turnAt: row.turn,
    beside: (row.state === 'queued' ? planned.get(row.org_id) : undefined) ?? { files: 0, bytes: 0 },
  }));
}

/** By organization: its queued files that were checked, but those that are no HR data. */
async function findPlannedAgain(db: Queryable): Promise<Map<string, Unchecked['beside']>> {
  const rows: { org_id: string; files: number; bytes: number }[] = await db('uploads')
    .join('blobs', 'blobs.id', 'uploads.blob_id')
    .where({ state: 'queued' })
    .whereNotNull('checked_at')
    .where((one) => one.whereNull('header_type').orWhereNot('header_type', 'none'))
    .groupBy('uploads.org_id')
    .select('uploads.org_id')
    .count({ files: '*' })
    .sum({ bytes: 'blobs.size' });
  return new Map(rows.map(({ org_id: org, files, bytes }) => [org, { files: Number(files), bytes: Number(bytes) }]));
}

/**
 * Ids of the organization's files that one check takes, each counted as tried once more. All that are queued are planned at once,
 * since each plan reads the whole queue again; of dry runs, which are planned by themselves, some, small ones first.
 */
export async function takeUnchecked(db: Queryable, org: string, kind: CheckKind): Promise<number[]> {
  const wanted = db('uploads')
    .join('blobs', 'blobs.id', 'uploads.blob_id')
    .where({ 'uploads.org_id': org, state: kind })
    .whereNull('checked_at')
    .where('check_attempts', '<', mostAttempts)
    .orderBy(['blobs.size', 'uploads.id'])
    .select('uploads.id', 'blobs.size');
  const rows: { id: number; size: number }[] = await (kind === 'queued' ? wanted : wanted.limit(mostDryRuns));
  let bytes = 0;
  const ids: number[] = [];
  for (const { id, size } of rows) {
    bytes += size;
    if (kind === 'dry_run' && ids.length > 0 && bytes > mostDryRunBytes) break;
    ids.push(id);
  }
  await db('uploads').whereIn('id', ids).increment('check_attempts');
  return ids;
}

/** How many files of an organization wait for its next slot. */
export async function countQueue(db: Queryable, org: string): Promise<number> {
  const [row] = await db('uploads').where({ org_id: org, state: 'queued' }).count({ count: '*' });
  return Number(row!.count);
}

/** Notes that the queued files of an organization will not be checked before their import; returns how many there were. */
export async function skipChecks(db: Queryable, org: string, now: number): Promise<number> {
  return db('uploads').where({ org_id: org, state: 'queued' }).whereNull('checked_at').update({ checked_at: now });
}

/** An attempt that gave way to a run was none. */
export async function forgetAttempt(db: Queryable, ids: readonly number[]): Promise<void> {
  await db('uploads').whereIn('id', ids).where('check_attempts', '>', 0).decrement('check_attempts');
}

/** A lease that ends later than this many times its length from now was taken under a clock that was wrong. */
const mostLeases = 10;

/** false: another importer checks files of the organization. */
export async function takeCheckLease(
  db: Queryable,
  org: string,
  owner: string,
  now: number,
  leaseMs: number,
): Promise<boolean> {
  const until = now + leaseMs;
  const rows = await db('check_leases')
    .insert({ org_id: org, owner, until })
    .onConflict('org_id')
    .merge()
    .whereRaw('check_leases.until < ? OR check_leases.until > ?', [now, now + mostLeases * leaseMs])
    .returning('org_id');
  return rows.length > 0;
}

/** false: it was lost. */
export async function renewCheckLease(db: Queryable, org: string, owner: string, until: number): Promise<boolean> {
  return (await db('check_leases').where({ org_id: org, owner }).update({ until })) > 0;
}

export async function endCheckLease(db: Queryable, org: string, owner: string): Promise<void> {
  await db('check_leases').where({ org_id: org, owner }).delete();
}

export interface CheckedFile {
  uploadId: number;
  /** Its path when it was read: under another name it is checked again. */
  uploadPath: string;
  /** What was read: the person of an erasure request may have been removed from the file since. */
  blobId: string;
  type: 'users' | 'teams' | null;
  rows: number;
  refused: boolean;
  verdict: CheckVerdict;
  /** Where each of its reports is to be; null takes one of an earlier version away. */
  reports: readonly { path: string; blob: Omit<BlobRow, 'org' | 'createdAt'> | null }[];
}

/**
 * Publishes the reports of a check, unless a run has claimed the file meanwhile, its sender took it back or renamed it, a
 * person was erased from it, or the lease was lost. They replace those under an earlier name of the file.
 * Returns the blobs that nothing refers to now. One transaction for each file: a run that claims several at once waits for
 * one of them at most, and never in a ring.
 */
export async function settleCheck(
  tx: Queryable,
  of: { org: string; kind: CheckKind; owner: string; at: number },
  { uploadId, uploadPath, blobId, type, rows, refused, verdict, reports }: CheckedFile,
): Promise<{ isSettled: boolean; freed: string[] }> {
  const unwanted = reports.flatMap(({ blob }) => (blob === null ? [] : [blob.id]));
  const lease = await tx('check_leases').where({ org_id: of.org, owner: of.owner }).forUpdate().first();
  if (lease === undefined) return { isSettled: false, freed: unwanted };
  const learned = {
    type,
    rows,
    checked_at: of.at,
    check_verdict: verdict,
    ...(of.kind === 'dry_run' && { state: 'checked' }),
  };
  const settled = await tx('uploads')
    .where({ id: uploadId, state: of.kind, path: uploadPath, blob_id: blobId })
    .whereNull('checked_at')
    .update(learned);
  if (settled === 0) return { isSettled: false, freed: unwanted };
  const freed: string[] = [];
  for (const { path, blob } of reports) {
    // First, as those do that remove reports: no two wait for each other.
    await tx('check_reports').where({ org_id: of.org, path }).delete();
    freed.push(...(await replaceFile(tx, of.org, path, blob, of.at)));
    if (blob !== null) await tx('check_reports').insert({ org_id: of.org, path, upload_id: uploadId });
  }
  const current = reports.map(({ path }) => path);
  const former = tx('check_reports')
    .where({ org_id: of.org, upload_id: uploadId })
    .whereNotIn('path', current)
    .forUpdate();
  freed.push(...(await removeReports(tx, of.org, await former.pluck('path'))));
  await recordAudit(tx, {
    at: of.at,
    org: of.org,
    actor: 'system',
    action: of.kind === 'dry_run' ? 'upload.rehearsed' : 'upload.checked',
    subject: `upload ${uploadId}`,
    detail: { upload: uploadId, type, rows, refused },
  });
  return { isSettled: true, freed };
}

/**
 * Takes away the reports of checks on uploads whose import is reported, and on older versions of the same paths, but none that a check
 * of a newer version replaces meanwhile. Returns the blobs that nothing refers to any more.
 */
export async function removeCheckReports(tx: Queryable, org: string, uploads: readonly number[]): Promise<string[]> {
  const freed: string[] = [];
  for (let from = 0; from < uploads.length; from += mostIds) {
    const paths = tx('uploads')
      .whereIn('id', uploads.slice(from, from + mostIds))
      .select('path');
    const reports = tx('check_reports as r')
      .join('uploads as u', 'u.id', 'r.upload_id')
      .where('r.org_id', org)
      .whereIn('u.path', paths)
      .whereNotIn('u.state', ['queued', 'running', 'held'])
      .orderBy('r.path')
      .forUpdate('r');
    freed.push(...(await removeReports(tx, org, await reports.pluck('r.path'))));
  }
  return freed;
}

/** As few as one statement takes on each database. */
const mostIds = 500;

/** A check of a file that no longer waits for its import: its sender removed it, or gave it a name that is not imported. */
export interface StaleReport {
  org: string;
  path: string;
}

/** Reports of dry runs are not among them; at most `limit`. */
export async function listStaleReports(db: Queryable, limit: number): Promise<StaleReport[]> {
  const rows: { org_id: string; path: string }[] = await selectStale(db).limit(limit).select('r.org_id', 'r.path');
  return rows.map(({ org_id: org, path }) => ({ org, path }));
}

/** Unless its file was given its name back since, and checked again. Returns the blobs that nothing refers to any more. */
export async function removeStaleReport(tx: Queryable, { org, path }: StaleReport): Promise<string[]> {
  const still = selectStale(tx).where({ 'r.org_id': org, 'r.path': path }).forUpdate('r');
  return removeReports(tx, org, await still.pluck('r.path'));
}

function selectStale(db: Queryable) {
  return db('check_reports as r')
    .join('uploads as u', 'u.id', 'r.upload_id')
    .whereIn('u.state', ['stored', 'withdrawn'])
    .whereNot('r.path', 'like', '%.dry-run.%');
}

/** Returns the blobs that nothing refers to any more. */
async function removeReports(tx: Queryable, org: string, paths: readonly string[]): Promise<string[]> {
  const freed: string[] = [];
  const places = paths.map(split);
  for (const folder of new Set(places.map(({ dir }) => dir))) {
    const names = places.filter(({ dir }) => dir === folder).map(({ name }) => name);
    for (let from = 0; from < names.length; from += mostIds)
      freed.push(...(await removeFiles(tx, org, folder, names.slice(from, from + mostIds))));
  }
  for (let from = 0; from < paths.length; from += mostIds)
    await tx('check_reports')
      .where({ org_id: org })
      .whereIn('path', paths.slice(from, from + mostIds))
      .delete();
  return freed;
}

/** Files of the server's, with their blobs, whose ids it returns. */
async function removeFiles(tx: Queryable, org: string, dir: string, names: readonly string[]): Promise<string[]> {
  const files = tx('entries').where({ org_id: org, dir, kind: 'file' }).whereNull('upload_id').whereIn('name', names);
  const rows: { id: number; blob_id: string }[] = await files.forUpdate().select('id', 'blob_id');
  if (rows.length === 0) return [];
  const ids = rows.map(({ id }) => id);
  await tx('entries').whereIn('id', ids).delete();
  return deleteBlobsWithoutNames(
    tx,
    rows.map(({ blob_id }) => blob_id),
  );
}

function split(path: string): { dir: string; name: string } {
  const slash = path.lastIndexOf('/');
  return { dir: path.slice(0, slash) || '/', name: path.slice(slash + 1) };
}

/** Names of the server's own files in a folder. */
export function listOwnFiles(db: Queryable, org: string, dir: string): Promise<string[]> {
  return db('entries').where({ org_id: org, dir, kind: 'file' }).whereNull('upload_id').orderBy('name').pluck('name');
}

/**
 * Puts a file of the server's at a path in place of an older one; null only takes that away. Returns the blobs that nothing
 * refers to any more: their bytes go once this is committed.
 */
export async function replaceFile(
  tx: Queryable,
  org: string,
  path: string,
  blob: Omit<BlobRow, 'org' | 'createdAt'> | null,
  now: number,
): Promise<string[]> {
  const { dir, name } = split(path);
  const freed: string[] = [];
  if (blob !== null) await ensureFolders(tx, org, dir, now);
  const old = await lockEntry(tx, org, path);
  if (old?.kind === 'file' && old.uploadId === null) {
    await deleteEntry(tx, old.id);
    // A report has a second name beside the archived file.
    freed.push(...(await deleteBlobsWithoutNames(tx, [old.blobId!])));
  }
  if (blob === null) return freed;
  await insertBlob(tx, { ...blob, org, createdAt: now });
  const file = { kind: 'file' as const, mode: 0o644, blobId: blob.id, uploadId: null, size: blob.size };
  await insertEntry(tx, { org, dir, name, ...file, mtimeMs: now, atimeMs: now, createdAt: now });
  return freed;
}

/** Files of dry runs that were made before a time; at most `limit`. */
export function listSpentFiles(db: Queryable, before: number, limit: number): Promise<ExpiredFile[]> {
  return db('uploads')
    .join('entries', 'entries.upload_id', 'uploads.id')
    .where('uploads.state', 'checked')
    .where('uploads.checked_at', '<', before)
    .limit(limit)
    .select<ExpiredFile[]>(expiredColumns);
}

/** Whether it is still there, and no rename has taken it out of its folder; none does before the transaction ends. */
export async function lockSpent(tx: Queryable, { entryId, blobId }: ExpiredFile): Promise<boolean> {
  const entry = await tx('entries').where({ id: entryId, blob_id: blobId }).forUpdate().first('upload_id');
  if (entry === undefined) return false;
  return (await tx('uploads').where({ id: entry.upload_id, state: 'checked' }).first('id')) !== undefined;
}
