/**
 * Digests of rows of users files that the directory already agrees with (importer/read/knownrowfilter.ts uses them). They are
 * valid for one version of the directory: a change of a user voids them, unless it carries them over.
 */
import type { Queryable } from '../connection.js';
import { insertRows, type Script } from '../script.js';

/** SHA-256, shortened: sixteen bytes of the row's, eight of its user's compared email. */
export const knownRowBytes = 24;

/** How the rows are read. */
export interface KnownForm {
  /** Digest of the header line. */
  header: string;
  /** The order of each date column. */
  orders: string;
}

export interface StoredRows {
  form: KnownForm;
  /** Digest of everything beside the file that decides the meaning of a row: settings, options, fields, the program's version. */
  rules: string;
  pieces: Buffer[];
}

/** null: there are none that hold for this version of the directory. */
export async function readKnownRows(db: Queryable, org: string, version: number): Promise<StoredRows | null> {
  const head = await db('known_files').where({ org_id: org, version }).first();
  if (head === undefined) return null;
  const pieces: Buffer[] = await db('known_rows').where({ org_id: org }).orderBy('piece').pluck('digests');
  return { form: { header: head.header, orders: head.orders }, rules: head.rules, pieces };
}

/** In place of those there were; null: none. Joins the transaction that makes this the directory's version. */
export async function replaceKnownRows(
  script: Script,
  org: string,
  version: number,
  known: (Omit<StoredRows, 'pieces'> & { pieces: Iterable<Buffer> }) | null,
): Promise<void> {
  await script.run('DELETE FROM known_rows WHERE org_id = :org', { org });
  await script.run('DELETE FROM known_files WHERE org_id = :org', { org });
  if (known === null) return;
  await insertRows(script, 'known_files', [{ org_id: org, version, ...known.form, rules: known.rules }]);
  let piece = 0;
  for (const digests of known.pieces)
    await insertRows(script, 'known_rows', [{ org_id: org, piece: piece++, digests }]);
}

/** Known rows remain valid for the next version: the change between the two contradicts no row. */
export async function carryKnownRows(script: Script, org: string, version: number): Promise<void> {
  const change = 'UPDATE known_files SET version = version + 1 WHERE org_id = :org AND version = :version';
  await script.run(change, { org, version });
}
