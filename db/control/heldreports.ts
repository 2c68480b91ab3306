/** Renames the reports of a run that is no longer held: the name shows it, since a sealed report can't be changed. */
import type { Queryable } from '../connection.js';
import { freeName, lockEntry, updateEntry } from './entries.js';
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
    const entry = await lockEntry(tx, org, path);
    const renamed = entry === null ? null : retiredName(entry.name, word, table);
    if (entry === null || renamed === null) continue;
    const name = await freeName(tx, org, entry.dir, renamed);
    await updateEntry(tx, entry.id, { name });
    moved.set(path, `${entry.dir}/${name}`);
  }
  return moved;
}

/**
 * The name that a report gets, unless another file has it: `run-7.changes.csv` becomes `run-7.was-held.changes.csv`; null: the name
 * does not say that its run is held.
 */
export function retiredName(name: string, word: 'superseded' | 'was-held', table: 'report' | undefined): string | null {
  if (/^run-\d+(?:-\d+)?\.changes(?:-\d+)?\.csv(?:\.pgp)?(?:-\d+)?$/.test(name))
    return name.replace(/\.changes/, `.${word}$&`);
  const at = name.lastIndexOf(heldWord);
  if (at < 0) return null;
  const said = /\.csv(?:\.pgp)?$/.test(name) ? (table ?? word) : word;
  return `${name.slice(0, at)}.${said}${name.slice(at + heldWord.length)}`;
}
