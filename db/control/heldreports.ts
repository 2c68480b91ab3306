/** The reports of a held run once it is held no more: their names say so, since what is sealed stays as it was written. */
import type { Queryable } from '../connection.js';
import { findEntry, freeName, updateEntry } from './entries.js';
import type { Run } from './runs.js';

const heldWord = '.held';

/**
 * Renames `run-7.held.txt` and `users.held.csv` in their folder; what is gone already is left out.
 * @param table the word for what is told of a file; `word` where it is not given.
 * @returns where each was, and where it is.
 */
export async function retireHeldReports(
  tx: Queryable,
  { org, hold }: Pick<Run, 'org' | 'hold'>,
  word: 'superseded' | 'was-held',
  table: 'report' | undefined = undefined,
): Promise<Map<string, string>> {
  const moved = new Map<string, string>();
  for (const path of hold?.reports ?? []) {
    const entry = await findEntry(tx, org, path);
    const at = entry?.name.lastIndexOf(heldWord) ?? -1;
    if (entry === null || at < 0) continue;
    const said = entry.name.endsWith('.csv') ? (table ?? word) : word;
    const renamed = `${entry.name.slice(0, at)}.${said}${entry.name.slice(at + heldWord.length)}`;
    const name = await freeName(tx, org, entry.dir, renamed);
    await updateEntry(tx, entry.id, { name });
    moved.set(path, `${entry.dir}/${name}`);
  }
  return moved;
}
