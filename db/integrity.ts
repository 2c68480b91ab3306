/** Has SQLite check every page and reference of a database. PostgreSQL has its own tools for that. */
import type { Db, Queryable } from './connection.js';
import { describeDatabaseFailure } from './error.js';

/** A database, or a snapshot of one. */
type Checked = Pick<Db, 'dialect'> & { read: Queryable };

/** Enough to see the extent; a damaged page can break every row after it. */
const mostComplaints = 20;

/** The defects, in SQLite's own words, which quote no content; empty: none. Reads the whole database; `quick` leaves out indexes and references. */
export async function checkIntegrity(db: Checked, kind: 'quick' | 'full' = 'full'): Promise<string[]> {
  if (db.dialect !== 'sqlite') return [];
  const pragma = kind === 'quick' ? 'quick_check' : 'integrity_check';
  const complaints = await ask(db, `PRAGMA ${pragma}(${mostComplaints})`, ({ [pragma]: line }) =>
    line === 'ok' ? [] : [String(line)],
  );
  if (kind === 'quick') return complaints;
  // Later complaints may only be a consequence.
  if (complaints.length > 0) return complaints;
  return ask(db, 'PRAGMA foreign_key_check', ({ table, parent }) => [
    `a row of ${table} refers to a row of ${parent} that does not exist`,
  ]);
}

type Row = Record<string, unknown>;

/** A page that is damaged enough ends the question itself: that is an answer too. */
async function ask(db: Checked, question: string, read: (row: Row) => string[]): Promise<string[]> {
  try {
    const rows: Row[] = await db.read.raw(question);
    return rows.flatMap(read).slice(0, mostComplaints);
  } catch (error) {
    const failure = describeDatabaseFailure(error);
    if (failure === null) throw error;
    return [failure];
  }
}
