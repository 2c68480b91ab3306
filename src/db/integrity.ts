/** Asks SQLite whether every page of a database is what it should be. PostgreSQL has its own tools for that. */
import type { Db } from './connection.js';

/** Enough to see what is going on; a damaged page can break every row after it. */
const mostComplaints = 20;

/** What is broken, in SQLite's own words, which quote no content; empty: nothing. Reads the whole database. */
export async function checkIntegrity(db: Db): Promise<string[]> {
  if (db.dialect !== 'sqlite') return [];
  const pages: { integrity_check: string }[] = await db.read.raw(`PRAGMA integrity_check(${mostComplaints})`);
  const complaints = pages.map((row) => row.integrity_check).filter((line) => line !== 'ok');
  const strays: { table: string; parent: string }[] = await db.read.raw('PRAGMA foreign_key_check');
  for (const { table, parent } of strays.slice(0, mostComplaints))
    complaints.push(`a row of ${table} refers to a row of ${parent} that is not there`);
  return complaints;
}
