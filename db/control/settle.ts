/** Settles a run in one transaction: its reports appear, its files move to the archive, its uploads and itself end. */
import type { Db, Queryable } from '../connection.js';
import { recordAudit } from './audit.js';
import type { BlobRow } from './blobs.js';
import { removeCheckReports } from './checks.js';
import { type EntryRow, lockEntry, moveEntryLater } from './entries.js';
import { retireHeldReports } from './heldreports.js';
import { lockEntriesOfUploads } from './manyentries.js';
import { rememberMoved, trimMoved } from './movednames.js';
import { noteDirectoryWrites } from './pair.js';
import { Places } from './places.js';
import { noteCompleted } from './runevents.js';
import { finishRun, type Run, replaceSummary } from './runs.js';
import { findUploads, settleUploadLater, type UploadRow, unclaimLater } from './uploads.js';

export interface Settlement {
  /** `alsoAs`: a second name. */
  reports: readonly { path: string; alsoAs?: string; blob: Omit<BlobRow, 'org' | 'createdAt'> }[];
  uploads: readonly { id: number; state: 'imported' | 'refused'; archivedAs: string }[];
  /** Kept with the run, as JSON. */
  summary: unknown;
  /** How many faults and warnings the files have, by code: for metrics, and not kept. */
  issues?: Readonly<Record<string, number>>;
}

/**
 * Returns the blobs that nothing refers to any more; null: the run had been settled, or belongs to another importer now, and nothing
 * was done.
 * @param directoryWrites how often the directory has been written to, the run included.
 * @param reads by upload: the facts that reading it gave.
 */
export async function settleRun(
  control: Db,
  run: Run,
  settlement: Settlement,
  now: number,
  directoryWrites = 0,
  reads?: ReadonlyMap<number, Pick<UploadRow, 'type' | 'rows'>>,
): Promise<string[] | null> {
  const { reports, uploads, summary } = settlement;
  return control.transact(async (tx) => {
    if (!(await finishRun(tx, run, summary, now))) return null;
    const paths = [...reports.flatMap(namesOf), ...uploads.map(({ archivedAs }) => archivedAs)];
    const places = await Places.open(tx, run.org, paths, now);
    const moved = await addReports(places, reports);
    const ids = uploads.map(({ id }) => id);
    const rows = await findUploads(tx, ids);
    const entries = await lockEntriesOfUploads(tx, run.org, ids);
    for (const { id, state, archivedAs: path } of uploads) {
      const archivedAs = await moveToArchive(places, entries.get(id) ?? null, rows.get(id)!, path, now);
      await settleUploadLater(places.script, id, { state, archivedAs, at: now, read: reads?.get(id) });
      moved.set(path, archivedAs);
    }
    await trimMoved(places.script, run.org, now);
    // An importer that lost its lease may have claimed more files than another one applied.
    await unclaimLater(places.script, run.id);
    await noteDirectoryWrites(places.script, directoryWrites);
    await places.write();
    const freed = await removeCheckReports(tx, run.org, ids);
    await correctSummary(tx, run.id, summary, moved);
    await retireHeldReports(tx, run, 'was-held');
    const detail = { run: run.id, uploads: uploads.map(({ id, state }) => ({ id, state })) };
    await recordAudit(tx, {
      at: now,
      org: run.org,
      actor: 'system',
      action: 'run.done',
      subject: `run ${run.id}`,
      detail,
    });
    await noteCompleted(tx, run, summary, now);
    return freed;
  });
}

/** Gives reports their names; where each was planned to be, and where it is. */
export async function placeReports(
  tx: Queryable,
  org: string,
  reports: Settlement['reports'],
  now: number,
): Promise<Map<string, string>> {
  const places = await Places.open(tx, org, reports.flatMap(namesOf), now);
  const moved = await addReports(places, reports);
  await places.write();
  return moved;
}

function namesOf({ path, alsoAs }: Settlement['reports'][number]): string[] {
  return alsoAs === undefined ? [path] : [path, alsoAs];
}

async function addReports(places: Places, reports: Settlement['reports']): Promise<Map<string, string>> {
  const moved = new Map<string, string>();
  for (const { path, alsoAs, blob } of reports) {
    places.addBlob(blob);
    const file = { blobId: blob.id, uploadId: null, size: blob.size, mtimeMs: places.now };
    moved.set(path, await places.add(path, file));
    if (alsoAs !== undefined) await places.add(alsoAs, file);
  }
  return moved;
}

/** Gives a file another name beside the one that it has; one that is gone is left out. */
export async function placeAgain(tx: Queryable, org: string, path: string, alsoAs: string, now: number): Promise<void> {
  const entry = await lockEntry(tx, org, path);
  if (entry === null) return;
  const { blobId, uploadId, size, mtimeMs } = entry;
  const places = await Places.open(tx, org, [alsoAs], now);
  await places.add(alsoAs, { blobId: blobId!, uploadId, size, mtimeMs });
  await places.write();
}

/**
 * The names were free when the run was planned. Where one was given away since (to a superseded version of the same file,
 * or by a run that came between), the file has another one, and the summary says so.
 * `isNew`: the run does not have the summary yet.
 */
export async function correctSummary(
  tx: Queryable,
  run: number,
  summary: unknown,
  moved: ReadonlyMap<string, string>,
  isNew = false,
): Promise<void> {
  if (!isNew && [...moved].every(([planned, actual]) => planned === actual)) return;
  await replaceSummary(
    tx,
    run,
    JSON.parse(JSON.stringify(summary), (_, value) => moved.get(value) ?? value),
  );
}

/** The name that a client gave moves; where the client has removed or replaced it meanwhile, the archive gets its own. */
export async function archiveUpload(
  tx: Queryable,
  org: string,
  uploadId: number,
  path: string,
  now: number,
): Promise<string> {
  const places = await Places.open(tx, org, [path], now);
  const upload = (await findUploads(tx, [uploadId])).get(uploadId)!;
  const entry = (await lockEntriesOfUploads(tx, org, [uploadId])).get(uploadId) ?? null;
  const archivedAs = await moveToArchive(places, entry, upload, path, now);
  await trimMoved(places.script, org, now);
  await places.write();
  return archivedAs;
}

/** The statements join those of `places`. `entry`: null where the client has removed or replaced the name. */
async function moveToArchive(
  places: Places,
  entry: EntryRow | null,
  upload: UploadRow,
  path: string,
  now: number,
): Promise<string> {
  if (entry === null) {
    const { id: uploadId, blobId, size, closedAt: mtimeMs } = upload;
    return places.add(path, { blobId, uploadId, size, mtimeMs });
  }
  await rememberMoved(places.script, entry, upload, now);
  const { dir, name } = await places.take(path);
  await moveEntryLater(places.script, entry.id, { dir, name });
  return `${dir}/${name}`;
}
