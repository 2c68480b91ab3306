/** Uploads and the import queue: one row for each file that a client closed, from its CLOSE to the archive. */
import type { Knex } from 'knex';
import type { Queryable } from '../connection.js';
import { dialectOf } from '../dialect.js';
import { runLater, type Script } from '../script.js';

export type UploadState =
  /** Complete under a name that is not imported: a temporary one, until its rename, or one that does not look like data. */
  | 'stored'
  | 'queued'
  /** Below `/dry-run`: waits to be planned. It never enters a run. */
  | 'dry_run'
  /** Its dry run is done and reported; its file is deleted soon. */
  | 'checked'
  /** Claimed by a run. */
  | 'running'
  /** Of a run that waits for an operator's decision. */
  | 'held'
  | 'imported'
  | 'refused'
  /** A newer upload of its path came before the import. */
  | 'superseded'
  /** Removed by its sender before the import. */
  | 'withdrawn';

/** No run is at work on it: its sender may rename it, take it back, or send a newer version. */
export const movableStates: readonly UploadState[] = ['queued', 'stored', 'held', 'dry_run', 'checked'];

/** Whether it is to be imported or checked, or is imported now. */
export function isWaiting({ state }: Pick<UploadRow, 'state'>): boolean {
  return state === 'running' || movableStates.includes(state);
}

/** The use of a complete file, which follows from its path. */
export type Destination = 'stored' | 'queued' | 'dry_run';

export interface NewUpload {
  org: string;
  path: string;
  blobId: string;
  state: Destination;
  keyFingerprint: string | null;
  address: string | null;
  client: string | null;
  begunAt: number;
  closedAt: number;
  /** When its sender is told that it is not imported; null: never. */
  tellAt?: number | null;
}

/** What an import would do with a file, as its check found. */
export type CheckVerdict = 'would_import' | 'would_hold' | 'would_refuse';

export interface UploadRow extends Omit<NewUpload, 'state' | 'tellAt'> {
  id: number;
  state: UploadState;
  runId: number | null;
  /** null until it is queued. */
  queuedAt: number | null;
  /** Its place in the order of the queue, whatever the clock said; null until it is queued. */
  queueNumber: number | null;
  settledAt: number | null;
  /** Virtual path of its archived copy. */
  archivedAs: string | null;
  /** Plaintext bytes, and their SHA-256 in hex: of the blob. */
  size: number;
  sha256: string;
  /** The type that a check or an import found; null: not read, or neither. */
  type: 'users' | 'teams' | null;
  rows: number | null;
  checkedAt: number | null;
  /** null: it was not checked, or by an older version. */
  checkVerdict: CheckVerdict | null;
  /** The type in its header, where that was read; `none`: neither. */
  headerType: 'users' | 'teams' | 'none' | null;
}

/** The new upload's id; an upload in state `queued` counts as queued when it was closed. */
export async function insertUpload(db: Queryable, upload: NewUpload): Promise<number> {
  const isQueued = upload.state === 'queued' && { queued_at: upload.closedAt, queue_number: nextQueueNumber(db) };
  const [row] = await db('uploads')
    .insert({ ...uploadColumns(upload), ...isQueued })
    .returning<{ id: number }[]>('id');
  return row!.id;
}

/** As insertUpload under an id that no other upload has or gets, with the next query of the transaction, or its COMMIT. */
export function insertUploadLater(tx: Queryable, id: number, upload: NewUpload): Promise<void> {
  const row = { id, ...uploadColumns(upload) };
  const names = Object.keys(row);
  const values = names.map((name) => `:${name}`);
  if (upload.state === 'queued') {
    names.push('queued_at', 'queue_number');
    values.push(':closed_at', queueNumber);
  }
  return runLater(tx, `INSERT INTO uploads (${names.join(', ')}) VALUES (${values.join(', ')})`, row);
}

function uploadColumns(upload: NewUpload) {
  return {
    org_id: upload.org,
    path: upload.path,
    blob_id: upload.blobId,
    state: upload.state,
    key_fingerprint: upload.keyFingerprint,
    address: upload.address,
    client: upload.client,
    begun_at: upload.begunAt,
    closed_at: upload.closedAt,
    tell_at: upload.tellAt ?? null,
  };
}

const queueNumber = '(SELECT coalesce(max(queue_number), 0) + 1 FROM uploads)';

/** Two files that are queued at the same moment may get the same number: then their ids decide. */
function nextQueueNumber(db: Queryable): Knex.Raw {
  return db.raw(queueNumber);
}

/** null: no such upload. */
export async function findUpload(db: Queryable, id: number): Promise<UploadRow | null> {
  const row = await selectUploads(db).where('uploads.id', id).first();
  return row === undefined ? null : fromStored(row);
}

/** As findUpload, and holds the row against other transactions until this one ends: no run claims, holds or returns it meanwhile. */
export async function lockUpload(tx: Queryable, id: number): Promise<UploadRow | null> {
  const row = await selectUploads(tx).where('uploads.id', id).forUpdate('uploads').first();
  return row === undefined ? null : fromStored(row);
}

/** As findUpload, by their ids: as many as a run has. */
export async function findUploads(db: Queryable, ids: readonly number[]): Promise<Map<number, UploadRow>> {
  const found = new Map<number, UploadRow>();
  for (let from = 0; from < ids.length; from += mostIds)
    for (const row of await selectUploads(db).whereIn('uploads.id', ids.slice(from, from + mostIds)))
      found.set(row.id, fromStored(row));
  return found;
}

/** As few as one statement takes on each database. */
const mostIds = 500;

/** The upload that brought a blob; null: none did. */
export async function findUploadOfBlob(db: Queryable, blobId: string): Promise<UploadRow | null> {
  const row = await selectUploads(db).where({ blob_id: blobId }).first();
  return row === undefined ? null : fromStored(row);
}

/** When an upload began. */
export interface Beginning {
  begunAt: number;
  /** The highest id of an upload then, 0 for none; null: of a version that did not note it. */
  lastUpload: number | null;
}

/** Whether a complete version of a path came after an upload began: under that name, or under another one that it has by now. */
export async function hasNewerUpload(db: Queryable, org: string, path: string, since: Beginning): Promise<boolean> {
  const named = db('uploads')
    .where({ org_id: org })
    .where((either) => either.where({ path }).orWhere({ closed_path: path }));
  const { begunAt, lastUpload } = since;
  // Ids have the order of the uploads, whatever the clocks of the nodes say.
  const newer = lastUpload === null ? named.where('closed_at', '>', begunAt) : named.where('id', '>', lastUpload);
  return (await newer.first('id')) !== undefined;
}

/** The files that wait for the next run, oldest first. */
export async function listQueue(db: Queryable, org: string): Promise<UploadRow[]> {
  return (await oldestFirst(selectUploads(db).where({ 'uploads.org_id': org, state: 'queued' }))).map(fromStored);
}

/** The files of all organizations in these states: by organization, and oldest first. */
export async function listAllUploads(db: Queryable, states: readonly UploadState[]): Promise<UploadRow[]> {
  return (await oldestFirst(selectUploads(db).whereIn('state', states).orderBy('uploads.org_id'))).map(fromStored);
}

/** The files of all organizations in these states that are newer than an upload, the oldest first. */
export async function listUploadsAfter(
  db: Queryable,
  states: readonly UploadState[],
  { after, limit }: { after: number; limit: number },
): Promise<UploadRow[]> {
  const newer = selectUploads(db).whereIn('state', states).where('uploads.id', '>', after);
  return (await newer.orderBy('uploads.id').limit(limit)).map(fromStored);
}

/** The rows of each file of a run, as a check counted them; null: it was not checked. */
export async function listRowsOfRun(db: Queryable, runId: number): Promise<(number | null)[]> {
  return db('uploads').where({ run_id: runId }).pluck('rows');
}

/**
 * Uploads of an organization whose path contains a text, in any case, also those whose files were removed since; the newest first.
 * @param text empty: every upload. @param before older than this one
 */
export async function searchUploads(
  db: Queryable,
  org: string,
  { text, before, limit }: { text: string; before?: number | undefined; limit: number },
): Promise<UploadRow[]> {
  const query = selectUploads(db).where({ 'uploads.org_id': org }).orderBy('uploads.id', 'desc').limit(limit);
  if (text !== '') {
    const pattern = `%${text.toLowerCase().replace(/[\\%_]/g, (sign) => `\\${sign}`)}%`;
    query.whereRaw("LOWER(uploads.path) LIKE ? ESCAPE '\\'", [pattern]);
  }
  if (before !== undefined) query.where('uploads.id', '<', before);
  return (await query).map(fromStored);
}

/** The files that are complete and not queued because of their names, oldest first. */
export async function listStoredUploads(db: Queryable, org: string): Promise<UploadRow[]> {
  return (await selectUploads(db).where({ 'uploads.org_id': org, state: 'stored' }).orderBy('uploads.id')).map(
    fromStored,
  );
}

/** Gives every queued upload of the organization to a run. Returns their ids. */
export async function giveQueued(db: Queryable, org: string, runId: number): Promise<number[]> {
  if (dialectOf(db) === 'sqlite') {
    const queued = db('uploads').where({ org_id: org, state: 'queued' });
    return idsOf(await queued.update({ state: 'running', run_id: runId }).returning('id'));
  }
  const given: { id: number }[] = [];
  for (;;) {
    const { rows } = await db.raw<{ rows: { id: number; is_given: boolean }[] }>(give, { org, run: runId });
    given.push(...rows.filter((row) => row.is_given));
    // One that a newer version was just replacing is skipped, and a statement that began before that COMMIT does not see the newer one.
    if (rows.every((row) => row.is_given)) return idsOf(given);
  }
}

/** Of all that were queued when the statement began, and whether they still were when their rows could be locked. */
const give = `WITH queued AS MATERIALIZED (SELECT id FROM uploads WHERE org_id = :org AND state = 'queued'),
  given AS (UPDATE uploads SET state = 'running', run_id = :run
    WHERE id IN (SELECT id FROM queued) AND state = 'queued' RETURNING id)
  SELECT queued.id, given.id IS NOT NULL AS is_given FROM queued LEFT JOIN given ON given.id = queued.id`;

/** As giveQueued, to a run that was held: the files of its plan, and none that arrived since. */
export async function giveHeld(db: Queryable, runId: number): Promise<number[]> {
  return idsOf(
    await db('uploads').where({ run_id: runId, state: 'held' }).update({ state: 'running' }).returning('id'),
  );
}

/** The ids of all files that a run has claimed and not settled. */
export async function listClaimedIds(db: Queryable, runId: number): Promise<number[]> {
  return idsOf(await db('uploads').where({ run_id: runId, state: 'running' }).select('id'));
}

function idsOf(rows: readonly { id: number }[]): number[] {
  return rows.map(({ id }) => id).sort((a, b) => a - b);
}

/** As giveQueued; all that the run has to work on. */
export async function claimUploads(db: Queryable, org: string, runId: number): Promise<UploadRow[]> {
  await giveQueued(db, org, runId);
  return listClaimed(db, runId);
}

/** All files that a run has to work on, oldest first: also those that it claimed before it was interrupted. */
export async function listClaimed(db: Queryable, runId: number): Promise<UploadRow[]> {
  return (await oldestFirst(selectUploads(db).where({ run_id: runId, state: 'running' }))).map(fromStored);
}

/** Holds the files that a run has claimed. */
export async function holdUploads(db: Queryable, runId: number): Promise<void> {
  await db('uploads').where({ run_id: runId, state: 'running' }).update({ state: 'held' });
}

/** Returns the files of a held run to the queue. */
export async function requeueHeld(db: Queryable, runId: number): Promise<void> {
  await db('uploads').where({ run_id: runId, state: 'held' }).update({ state: 'queued', run_id: null });
}

/** The files that a run holds, oldest first. */
export async function listHeld(db: Queryable, runId: number): Promise<UploadRow[]> {
  return (await oldestFirst(selectUploads(db).where({ run_id: runId, state: 'held' }))).map(fromStored);
}

/** Returns the files that a run has claimed and not settled to the queue. */
export async function unclaimUploads(db: Queryable, runId: number): Promise<void> {
  await db('uploads').where({ run_id: runId, state: 'running' }).update({ state: 'queued', run_id: null });
}

/** As unclaimUploads, with the other statements of the script. */
export async function unclaimLater(script: Script, runId: number): Promise<void> {
  const running = "WHERE run_id = :run AND state = 'running'";
  await script.run(`UPDATE uploads SET state = 'queued', run_id = NULL ${running}`, { run: runId });
}

/** As unclaimUploads, for a run that failed: its files keep its id, and wait for the next slot, a manual import or a retry. */
export async function unclaimFailed(db: Queryable, runId: number): Promise<void> {
  await db('uploads').where({ run_id: runId, state: 'running' }).update({ state: 'queued' });
}

/** Files of a failed run, or one of them, no longer wait for the next slot. */
export async function releaseFailed(db: Queryable, runId: number, id?: number): Promise<void> {
  const failed = db('uploads').where({ run_id: runId, state: 'queued' });
  await (id === undefined ? failed : failed.where({ id })).update({ run_id: null });
}

/** Files that wait in the queue since this run failed, oldest first. */
export async function listFailed(db: Queryable, runId: number): Promise<UploadRow[]> {
  return (await oldestFirst(selectUploads(db).where({ run_id: runId, state: 'queued' }))).map(fromStored);
}

/** Ends an upload that is claimed or held, once: false when it was settled before. `archivedAs`: where its file is now. */
export async function settleUpload(
  db: Queryable,
  id: number,
  outcome: {
    state: 'imported' | 'refused';
    archivedAs: string | null;
    at: number;
    /** As recordRead takes it. */
    read?: Pick<UploadRow, 'type' | 'rows'> | undefined;
  },
): Promise<boolean> {
  const { state, archivedAs, at, read } = outcome;
  return isChanged(
    db('uploads')
      .where({ id })
      .whereIn('state', ['running', 'held'])
      .update({ state, archived_as: archivedAs, settled_at: at, ...(read && { type: read.type, rows: read.rows }) }),
  );
}

/** As settleUpload, with the other statements of the script. */
export async function settleUploadLater(
  script: Script,
  id: number,
  { state, archivedAs, at, read }: Parameters<typeof settleUpload>[2],
): Promise<void> {
  await script.run(
    `UPDATE uploads SET state = :state, archived_as = :archivedAs, settled_at = :at${read ? ', type = :type, rows = :rows' : ''}
     WHERE id = :id AND state IN ('running', 'held')`,
    { id, state, archivedAs, at, ...(read && { type: read.type, rows: read.rows }) },
  );
}

/** Takes an upload that waits for a newer one of its path; false when it does not wait (a run claimed it). */
export async function supersedeUpload(
  db: Queryable,
  id: number,
  outcome: { archivedAs: string; at: number },
): Promise<boolean> {
  return isChanged(
    db('uploads')
      .where({ id })
      .whereIn('state', ['queued', 'held'])
      .update({ state: 'superseded', archived_as: outcome.archivedAs, settled_at: outcome.at }),
  );
}

/** Takes an upload back that no run is at work on; false when it does not wait. */
export async function withdrawUpload(db: Queryable, id: number, at: number): Promise<boolean> {
  return isChanged(
    db('uploads').where({ id }).whereIn('state', movableStates).update({ state: 'withdrawn', settled_at: at }),
  );
}

/** As withdrawUpload, everything of an organization that is not claimed; how many. */
export async function withdrawUploads(db: Queryable, org: string, at: number): Promise<number> {
  return db('uploads')
    .where({ org_id: org })
    .whereIn('state', movableStates)
    .update({ state: 'withdrawn', settled_at: at });
}

/** Queues an upload that a rename gives its final name; false when it is queued already, or a run has claimed it. */
export async function queueUpload(db: Queryable, id: number, path: string, at: number): Promise<boolean> {
  return redirect(db, id, ['stored', 'dry_run', 'checked'], {
    ...{ state: 'queued', path, queued_at: at },
    queue_number: nextQueueNumber(db),
  });
}

/** Takes an upload back to a name that is not imported; false when it has one, or a run has claimed it. */
export async function unqueueUpload(
  db: Queryable,
  id: number,
  path: string,
  tellAt: number | null = null,
): Promise<boolean> {
  return redirect(db, id, ['queued', 'held', 'dry_run', 'checked'], {
    state: 'stored',
    path,
    queued_at: null,
    queue_number: null,
    run_id: null,
    tell_at: tellAt,
  });
}

/** Takes an upload that a rename brings below `/dry-run` to its dry run; false when it was there, or a run has claimed it. */
export async function rehearseUpload(db: Queryable, id: number, path: string): Promise<boolean> {
  return redirect(db, id, ['stored', 'queued', 'held'], {
    ...{ state: 'dry_run', path, queued_at: null },
    queue_number: null,
    run_id: null,
  });
}

type Change = Partial<Omit<Stored, 'queue_number'>> & { queue_number: Knex.Raw | null };

function redirect(db: Queryable, id: number, from: UploadState[], change: Change): Promise<boolean> {
  return isChanged(
    db('uploads')
      .where({ id })
      .whereIn('state', from)
      .update({ tell_at: null, told_at: null, ...unchecked, ...keepClosedPath(db), ...change }),
  );
}

export type HeaderType = NonNullable<UploadRow['headerType']>;

/**
 * Keeps the types in the headers of files, by upload, so that they are read once: in as many statements as there are types. They depend
 * on the organization's options.
 */
export async function recordHeaderTypes(tx: Queryable, types: ReadonlyMap<number, HeaderType>): Promise<void> {
  for (const type of new Set(types.values())) {
    const ids = [...types].filter(([, other]) => other === type).map(([id]) => id);
    await tx('uploads').whereIn('id', ids).update({ header_type: type });
  }
}

/** The options by which headers are read have changed. */
export async function forgetHeaderTypes(db: Queryable, org: string): Promise<void> {
  await db('uploads').where({ org_id: org }).whereIn('state', movableStates).update({ header_type: null });
}

/** Facts about a file that reading it gave. */
export async function recordRead(
  db: Queryable,
  id: number,
  { type, rows }: Pick<UploadRow, 'type' | 'rows'>,
): Promise<void> {
  await db('uploads').where({ id }).update({ type, rows });
}

/** With each rename: the name under which the file was closed. */
export function keepClosedPath(db: Queryable): { closed_path: Knex.Raw } {
  return { closed_path: db.raw('coalesce(closed_path, path)') };
}

/** A file is checked again under a new name: its reports have that name. */
export const unchecked = { checked_at: null, check_attempts: 0, check_verdict: null };

/**
 * Follows a rename, as long as no run has claimed the upload.
 * @param tellAt when its sender is told that it is not imported; null: never.
 */
export async function moveUpload(db: Queryable, id: number, path: string, tellAt: number | null): Promise<void> {
  const told = { tell_at: tellAt, told_at: null };
  await db('uploads')
    .where({ id })
    .whereIn('state', movableStates)
    .update({ path, ...keepClosedPath(db), ...told });
  await db('uploads').where({ id, state: 'queued' }).update(unchecked);
}

interface Stored {
  id: number;
  org_id: string;
  path: string;
  blob_id: string;
  state: UploadState;
  run_id: number | null;
  key_fingerprint: string | null;
  address: string | null;
  client: string | null;
  begun_at: number;
  closed_at: number;
  queued_at: number | null;
  queue_number: number | null;
  settled_at: number | null;
  archived_as: string | null;
  size: number;
  sha256: string;
  type: 'users' | 'teams' | null;
  rows: number | null;
  checked_at: number | null;
  check_attempts: number;
  check_verdict: CheckVerdict | null;
  header_type: UploadRow['headerType'];
  tell_at: number | null;
  told_at: number | null;
}

function selectUploads(db: Queryable) {
  return db('uploads')
    .join('blobs', 'blobs.id', 'uploads.blob_id')
    .select<Stored[]>('uploads.*', 'blobs.size', 'blobs.sha256');
}

function oldestFirst(query: ReturnType<typeof selectUploads>) {
  return query.orderBy([{ column: 'uploads.queue_number' }, { column: 'uploads.id' }]);
}

async function isChanged(update: PromiseLike<number>): Promise<boolean> {
  return (await update) > 0;
}

function fromStored(row: Stored): UploadRow {
  return {
    id: row.id,
    org: row.org_id,
    path: row.path,
    blobId: row.blob_id,
    state: row.state,
    runId: row.run_id,
    keyFingerprint: row.key_fingerprint,
    address: row.address,
    client: row.client,
    begunAt: row.begun_at,
    closedAt: row.closed_at,
    queuedAt: row.queued_at,
    queueNumber: row.queue_number,
    settledAt: row.settled_at,
    archivedAs: row.archived_as,
    size: row.size,
    sha256: row.sha256,
    type: row.type,
    rows: row.rows,
    checkedAt: row.checked_at,
    checkVerdict: row.check_verdict,
    headerType: row.header_type,
  };
}
