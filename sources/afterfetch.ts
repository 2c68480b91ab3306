/** Deletes or moves a file at its source, once it is durable here (SFTP servers) or imported (watched folders). */
import { forgetTaken, markLeaving, markRefused, settleTaken, type TakenFile } from '../db/control/sourcefiles.js';
import type { Source } from '../db/control/sources.js';
import type { RoundDeps } from './deps.js';
import { SourceError } from './error.js';
import { markersOf } from './marker.js';
import type { Place } from './place.js';

/** States of an upload whose import is over; a copy of it is in `/archive` then. */
const settled: readonly string[] = ['imported', 'refused', 'superseded'];
const importedFolder = 'imported';
const refusedFolder = 'refused';

/** Whether the time has come. @param state of its upload; null: it is gone */
export function isOver(
  { config }: Source,
  { isPending }: TakenFile,
  state: string | null,
  when: 'taken' | 'unchanged' | 'earlier',
): boolean {
  if (!isPending || config.after.kind === 'keep') return false;
  // A folder's file is taken before its import.
  return config.kind === 'sftp' || (when === 'earlier' && state !== null && settled.includes(state));
}

/**
 * Does it, unless the file is another version now, which is a new file. @returns whether it is done, and the name forgotten
 * @throws SourceError when the place can't be reached
 */
export async function finishFile(
  { control, onStep }: Pick<RoundDeps, 'control' | 'onStep'>,
  source: Source,
  place: Place,
  file: TakenFile,
  state: string | null,
  problem: (text: string) => void,
): Promise<boolean> {
  const { config, id } = source;
  const now = await place.look(file.name);
  if (now === null) {
    // A crash prevented the last step. Otherwise a share that is not mounted shows no file either.
    if (file.isLeaving === true) await forgetTaken(control.write, id, file);
    return file.isLeaving === true;
  }
  if (now.size !== file.size || now.mtimeMs !== file.mtimeMs) {
    await settleTaken(control.write, id, file);
    return false;
  }
  try {
    const markers = await findMarkers(source, place, file.name);
    // The file last: a marker without a file would be left for good.
    if (file.isLeaving !== true && file.isRefused !== true) await markLeaving(control.write, id, file);
    for (const name of [...markers, file.name]) await leave(source, place, name, state);
  } catch (error) {
    if (!(error instanceof SourceError) || !['refused', 'folder', 'changing'].includes(error.code)) throw error;
    // It is still there: should a share that is not mounted show no file later, it was not deleted.
    if (error.code !== 'changing' && file.isRefused !== true) await markRefused(control.write, id, file);
    const act = config.after.kind === 'delete' ? 'deleted' : 'moved';
    problem(`${file.name} was taken, and could not be ${act}: ${error.message}`);
    return false;
  }
  await onStep?.('finished');
  await forgetTaken(control.write, id, file);
  return true;
}

async function findMarkers({ config }: Source, place: Place, name: string): Promise<string[]> {
  if (config.kind !== 'folder' || config.marker === null) return [];
  const found = [];
  for (const marker of markersOf(name, config.marker)) if ((await place.look(marker)) !== null) found.push(marker);
  return found;
}

async function leave({ config }: Source, place: Place, name: string, state: string | null): Promise<void> {
  if (config.after.kind === 'delete') return place.remove(name);
  if (config.kind === 'folder') return place.move(name, state === 'refused' ? refusedFolder : importedFolder);
  if (config.after.kind === 'move') return place.move(name, config.after.to);
}
