/**
 * Digests of rows of users files that the directory already agrees with (importer/read/knownrowfilter.ts uses them). They are
 * valid for one version of the directory: a change of a user voids them, unless it carries them over.
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

/** Known rows remain valid for the next version: the change between the two contradicts no row. */
export async function carryKnownRows(tx: Queryable, org: string, version: number): Promise<void> {
  await tx('known_files')
    .where({ org_id: org, version })
    .update({ version: version + 1 });
}
