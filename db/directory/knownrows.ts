/**
 * Digests of the rows of users files that an organization's directory already says; what they are for, importer/read/knownrowfilter.ts
 * tells. They hold for one version of the directory: whoever changes a user without taking them along makes them void.
 */
import type { Queryable } from '../connection.js';

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
  /** Digest of all that decides what a row says, beside its file: settings, options, fields, the program's version. */
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
  tx: Queryable,
  org: string,
  version: number,
  known: (Omit<StoredRows, 'pieces'> & { pieces: Iterable<Buffer> }) | null,
): Promise<void> {
  await tx('known_rows').where({ org_id: org }).delete();
  await tx('known_files').where({ org_id: org }).delete();
  if (known === null) return;
  await tx('known_files').insert({ org_id: org, version, ...known.form, rules: known.rules });
  let piece = 0;
  for (const digests of known.pieces) await tx('known_rows').insert({ org_id: org, piece: piece++, digests });
}

/** They hold for the version after this one too: what is changed between the two contradicts no row. */
export async function carryKnownRows(tx: Queryable, org: string, version: number): Promise<void> {
  await tx('known_files')
    .where({ org_id: org, version })
    .update({ version: version + 1 });
}
