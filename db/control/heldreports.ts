/** Renames the reports of a run that is no longer held: the name shows it, since a sealed report can't be changed. */
import type { Queryable } from '../connection.js';
import { findEntry, freeName, updateEntry } from './entries.js';
import type { Run } from './runs.js';

const heldWord = '.held';

/**
 * Renames `run-7.held.txt` and `users.held.csv` in their folder; deleted ones are left out.
 * @param table the word in the names of CSV reports; `word` where it is not given.
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
    const name = await freeName(tx, org, entry.dir, retiredName(entry.name, word, table));
    await updateEntry(tx, entry.id, { name });
    moved.set(path, `${entry.dir}/${name}`);
  }
  return moved;
}

/** The name that a report gets, unless another file has it. */
export function retiredName(name: string, word: 'superseded' | 'was-held', table: 'report' | undefined): string {
  const at = name.lastIndexOf(heldWord);
  const said = name.endsWith('.csv') ? (table ?? word) : word;
  return `${name.slice(0, at)}.${said}${name.slice(at + heldWord.length)}`;
}
