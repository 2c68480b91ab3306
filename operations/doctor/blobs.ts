/** Checks the blob store against the control database, both ways, without opening a single file. */
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type BlobRow, findNewestBlob, isBlobLive, listLiveBlobs } from '../../db/control/blobs.js';
import { hasLostCommits } from '../../db/control/pair.js';
import { listPartialIds } from '../../db/control/partials.js';
import { blobPath, removeBlob } from '../../storage/blobs.js';
import { idStarts } from '../../storage/blobstore.js';
import { fitsPlainSize } from '../../storage/rewrap.js';
import { formatBytes } from '../format.js';
import { listUnsettledReports } from '../unsettled.js';
import type { Workplace } from '../workplace.js';
import { type Finding, type Mend, reporter } from './finding.js';

/** A server may be running: a younger file may belong to an upload that is being published. */
const settledMs = 60 * 60 * 1000;
const pageSize = 1000;
/** More of one kind are counted, not listed. */
const listedFindings = 20;

interface Tally {
  files: number;
  sealedBytes: number;
  missing: string[];
  damaged: string[];
  /** Their ids, and when they were written, in ms. */
  leftOver: { id: string; at: number }[];
  /** Names that no blob has. */
  strange: string[];
}

/** `files` and `sealedBytes` count the files that exist and have the right size. */
export async function examineBlobs(
  workplace: Workplace,
): Promise<{ findings: Finding[]; files: number; sealedBytes: number }> {
  const tally: Tally = { files: 0, sealedBytes: 0, missing: [], damaged: [], leftOver: [], strange: [] };
  let prefix = '';
  let known = new Set<string>();
  let stored: Stored = new Map();
  const seen = new Set<string>();
  // A request to a store costs more than an entry of its answer.
  const width = workplace.paths.store === undefined ? 2 : 1;
  // Ids come in order, so that only the ids of one folder of the store are in memory.
  const closeFolder = async () => {
    if (prefix !== '') await examineFolder(workplace, prefix, stored, known, tally);
    known = new Set();
  };
  for await (const blob of walkLiveBlobs(workplace)) {
    if (!blob.id.startsWith(prefix) || prefix === '') {
      await closeFolder();
      prefix = blob.id.slice(0, width);
      seen.add(prefix);
      stored = await listFolder(workplace, prefix);
    }
    known.add(blob.id);
    await examineBlob(workplace, blob, stored, tally);
  }
  await closeFolder();
  for (const folder of (await listFolders(workplace)).filter((name) => !seen.has(name)))
    await examineFolder(workplace, folder, await listFolder(workplace, folder), new Set(), tally);
  return { findings: await describe(workplace, tally), files: tally.files, sealedBytes: tally.sealedBytes };
}

/** Every blob whose bytes must be there, in the order of the ids. */
export async function* walkLiveBlobs({ control }: Pick<Workplace, 'control'>): AsyncGenerator<BlobRow> {
  for (let after: string | null = null; ; ) {
    const blobs: BlobRow[] = await listLiveBlobs(control.read, after, pageSize);
    yield* blobs;
    if (blobs.length < pageSize) return;
    after = blobs.at(-1)!.id;
  }
}

/** The row says that the file must exist, with this size. */
async function examineBlob(workplace: Workplace, blob: BlobRow, stored: Stored, tally: Tally): Promise<void> {
  // One that is newer than the list of its folder is looked up by itself.
  const found = stored.get(blob.id)?.size ?? (await sizeOf(workplace, blob.id));
  // Between the new header of a file that is rewrapped and its record only the plain size is known.
  if (found === blob.sealedSize || (found !== null && (await fitsPlainSize(workplace.paths, blob.id, blob.size)))) {
    tally.files++;
    tally.sealedBytes += found;
  } else if (await isBlobLive(workplace.control.read, blob.id)) {
    // Asked again, since a client may have removed the file after its row was read.
    (found === null ? tally.missing : tally.damaged).push(`${blob.id} of ${blob.org}`);
  }
}

/** Finds files without a row: a crash between the removal of a name and that of its bytes leaves one. */
async function examineFolder(
  workplace: Workplace,
  folder: string,
  stored: Stored,
  known: ReadonlySet<string>,
  tally: Tally,
): Promise<void> {
  const path = join(workplace.paths.store?.name ?? workplace.paths.blobs, folder);
  for (const [name, { mtimeMs }] of stored) {
    if (known.has(name) || workplace.now() - mtimeMs <= settledMs) continue;
    if (await isBlobLive(workplace.control.read, name)) continue;
    if (/^[0-9a-f]{32}$/.test(name) && name.startsWith(folder)) tally.leftOver.push({ id: name, at: mtimeMs });
    else tally.strange.push(join(path, name));
  }
}

/** Files or objects of one folder, by their names. */
type Stored = ReadonlyMap<string, { size: number; mtimeMs: number }>;

/** null: no such file. */
async function sizeOf({ paths }: Workplace, id: string): Promise<number | null> {
  if (paths.store !== undefined) return (await paths.store.stat(id))?.size ?? null;
  try {
    return (await stat(blobPath(paths, id))).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function listFolders({ paths }: Workplace): Promise<readonly string[]> {
  if (paths.store !== undefined) return idStarts;
  return existsSync(paths.blobs) ? await readdir(paths.blobs) : [];
}

async function listFolder({ paths }: Workplace, folder: string): Promise<Stored> {
  const found = new Map<string, { size: number; mtimeMs: number }>();
  if (paths.store !== undefined) {
    for await (const { id, size, mtimeMs } of paths.store.list(folder)) found.set(id, { size, mtimeMs });
    return found;
  }
  const path = join(paths.blobs, folder);
  for (const name of await readdir(path).catch(() => []))
    found.set(name, await stat(join(path, name)).catch(() => ({ size: 0, mtimeMs: Number.POSITIVE_INFINITY })));
  return found;
}

async function describe(workplace: Workplace, tally: Tally): Promise<Finding[]> {
  const findings: Finding[] = [];
  const report = reporter(findings, 'blobs', workplace.paths.store?.name ?? workplace.paths.blobs);
  report('ok', `sealed files whose size is right: ${tally.files}, ${formatBytes(tally.sealedBytes)}`);
  const list = (level: 'warning' | 'wrong', ids: string[], what: string, mend?: (ids: string[]) => Mend) => {
    for (const id of ids.slice(0, listedFindings)) report(level, `${id}: ${what}`, mend?.([id]));
    const rest = ids.slice(listedFindings);
    if (rest.length > 0) report(level, `and ${rest.length} more: ${what}`, mend?.(rest));
  };
  list('wrong', tally.missing, 'the sealed file is missing: restore it from the backup');
  list('wrong', tally.damaged, 'the sealed file has another size than when it was written: restore it from the backup');
  // Read after the files: a run that is settled meanwhile has rows for its reports then.
  const reports = (await listUnsettledReports(workplace)).map(({ id }) => id);
  // In an object store uploads that were cut off are among the others.
  const partials = workplace.paths.store === undefined ? [] : await listPartialIds(workplace.control.read);
  const kept = new Set([...reports, ...partials]);
  const leftOver = tally.leftOver.filter(({ id }) => !kept.has(id));
  const newest = await findEnd(workplace.control);
  const idsOf = (some: typeof leftOver) => some.map(({ id }) => id);
  const [newer, old] = [leftOver.filter(({ at }) => at > newest), leftOver.filter(({ at }) => at <= newest)];
  list(
    'warning',
    idsOf(newer),
    'no entry refers to this sealed file, which is newer than the control database: a crash left it, or the record of its upload was lost (is control.db-wal missing?); it is kept',
  );
  list('warning', idsOf(old), 'no entry refers to this sealed file: it may be removed', (ids) =>
    removal(workplace, ids),
  );
  list('warning', tally.strange, 'this is no sealed file of Dropslot: it does not belong here');
  return findings;
}

/** Sealed files from after this time may be of commits that were lost. */
async function findEnd(control: Workplace['control']): Promise<number> {
  if (await hasLostCommits(control)) return 0;
  return control.mark?.isKnown === true ? Number.POSITIVE_INFINITY : findNewestBlob(control.read);
}

function removal({ control, paths }: Workplace, ids: readonly string[]): Mend {
  return {
    what: ids.length === 1 ? `remove the sealed file ${ids[0]}` : `remove ${ids.length} more sealed files`,
    act: async () => {
      for (const id of ids) if (!(await isBlobLive(control.read, id))) await removeBlob(paths, id);
    },
  };
}
