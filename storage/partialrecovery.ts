/** Recovers, at the start of a server, the uploads that a crash cut off: keeps their readable chunks and removes the rest. */
import { keepLeftPartial } from '../db/control/partiallease.js';
import { deletePartial, listAllPartials, listPartialIds, type PartialRow } from '../db/control/partials.js';
import { loadNodeKey } from '../keys/master/nodekey.js';
import { loadPartialKey } from '../keys/master/partialkey.js';
import { systemDisk } from './disk.js';
import { openPartial, type PartialPlace, partialPath, removePartials } from './partials.js';
import { SpaceError } from './types.js';

export interface RecoveryPlace extends PartialPlace {
  /** Whether no other process uses the data folder, so that no file in it belongs to a live upload. */
  isAlone: boolean;
  /** Without that: an upload whose file was not written to since this time (ms) is over. */
  idleSince: number;
  /** Only uploads of this process of the server, which has ended; absent: all of this node. */
  process?: string;
  /** Whether cut-off uploads are kept at all. */
  keeps: boolean;
}

export interface Recovered {
  /** Uploads that may be resumed now. */
  kept: number;
  /** Rows and files of which nothing could be kept. */
  removed: number;
}

/** May be killed on any line: it deletes a row before its file, and finds files without a row again. */
export async function recoverPartials(place: RecoveryPlace): Promise<Recovered> {
  const { control, paths, isAlone, disk = systemDisk } = place;
  const recovered: Recovered = { kept: 0, removed: 0 };
  if (paths.store !== undefined)
    return {
      kept: 0,
      removed: await (place.process === undefined ? removeSpools(place) : removeSpoolsOf(place, place.process)),
    };
  const node = await loadNodeKey(paths);
  const rows =
    node === null
      ? []
      : await listAllPartials(control.read, {
          node: node.recipient,
          ...(place.process !== undefined && { process: place.process }),
        });
  for (const row of rows) await recover(place, row, recovered);
  if (isAlone) {
    const known = new Set(await listPartialIds(control.read));
    const unknown = (await disk.list(paths.partials)).filter((name) => !known.has(name));
    await removePartials(place, unknown);
    recovered.removed += unknown.length;
  }
  return recovered;
}

/** With an object store: the files that dead processes filled on this machine; the store has the bytes that are kept. */
async function removeSpools({ paths, isAlone, idleSince, disk = systemDisk }: RecoveryPlace): Promise<number> {
  let removed = 0;
  for (const name of await disk.list(paths.partials)) {
    const path = partialPath(paths, name);
    const file = await disk.stat(path);
    if (file === null || (!isAlone && file.mtimeMs >= idleSince)) continue;
    await disk.remove(path);
    removed++;
  }
  return removed;
}

/** Their rows stay: the next look at one takes the upload over, with the bytes in the store. */
async function removeSpoolsOf(place: RecoveryPlace, process: string): Promise<number> {
  const { control, paths, disk = systemDisk } = place;
  const key = await loadPartialKey(place);
  const rows = key === null ? [] : await listAllPartials(control.read, { node: key.recipient, process });
  for (const { id } of rows) await disk.remove(partialPath(paths, id));
  return rows.length;
}

async function recover(place: RecoveryPlace, row: PartialRow, recovered: Recovered): Promise<void> {
  const { control, paths, disk = systemDisk } = place;
  const file = await disk.stat(partialPath(paths, row.id));
  if (file !== null && row.state === 'kept' && place.keeps) return;
  if (row.state === 'open' && file !== null && !place.isAlone && file.mtimeMs >= place.idleSince) return;
  const size = file === null || !place.keeps ? 0 : await countReadable(place, row);
  if (size === 0) {
    await deletePartial(control.write, row.id);
    await removePartials(place, [row.id]);
    recovered.removed++;
    return;
  }
  const forgotten = await control.transact((tx) => keepLeftPartial(tx, row, size));
  await removePartials(place, forgotten);
  if (!forgotten.includes(row.id)) recovered.kept++;
}

/** Opens every chunk up to the first that was not written whole: after a power cut a file may be longer than its content. */
async function countReadable(place: PartialPlace, row: PartialRow): Promise<number> {
  let readable = 0;
  try {
    const reader = await openPartial(place, row);
    try {
      for await (const bytes of reader.stream()) readable += bytes.length;
    } finally {
      await reader.close();
    }
  } catch (error) {
    if (!(error instanceof SpaceError) || error.code !== 'damaged') throw error;
  }
  return readable;
}
