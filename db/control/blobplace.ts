/**
 * The place of the sealed files, as the last move left it. A process that writes them elsewhere, because it began before the move, is
 * refused by the database: each row of a blob has the number of the place into which its bytes were written.
 */
import type { Knex } from 'knex';
import type { Queryable } from '../connection.js';
import { dialectOf } from '../dialect.js';
import { DatabaseError, placeRefusal } from '../error.js';

export interface BlobPlace {
  /** Counted up by each move. */
  number: number;
  /** As the setting `blobs` names it; null: they were never moved, or restored from a backup since. */
  place: string | null;
  /** A move that has not ended; null: none. */
  movingTo: string | null;
  /** The id up to which it has copied all; null: none. */
  copiedTo: string | null;
}

export async function readBlobPlace(db: Queryable): Promise<BlobPlace> {
  const row = await db('blob_place').where({ id: 1 }).first();
  if (row === undefined) return { number: 0, place: null, movingTo: null, copiedTo: null };
  return { number: row.number, place: row.place, movingTo: row.moving_to, copiedTo: row.copied_to };
}

export async function writeBlobPlace(
  db: Queryable,
  { number, place, movingTo, copiedTo }: BlobPlace,
  at: number,
): Promise<void> {
  const row = { number, place, moving_to: movingTo, copied_to: copiedTo, at };
  await db('blob_place')
    .insert({ id: 1, ...row })
    .onConflict('id')
    .merge(row);
}

/** Changes a move that has not ended; false: it is another one since `found` was read, or none. */
export async function changeMove(
  db: Queryable,
  { number, movingTo }: Pick<BlobPlace, 'number' | 'movingTo'>,
  change: Partial<Pick<BlobPlace, 'movingTo' | 'copiedTo'>>,
  at: number,
): Promise<boolean> {
  const row = {
    ...(change.movingTo !== undefined && { moving_to: change.movingTo }),
    ...(change.copiedTo !== undefined && { copied_to: change.copiedTo }),
  };
  return (
    (await db('blob_place')
      .where({ id: 1, number, moving_to: movingTo })
      .update({ ...row, at })) > 0
  );
}

/** The row of the folder that the nodes on PostgreSQL share; `place` is its id. The first row is the place itself. */
const folderRow = 2;

/** The id of the folder that has the sealed files; null: it is not noted yet, or there is none. */
export async function readBlobFolder(db: Queryable): Promise<string | null> {
  return (await db('blob_place').where({ id: folderRow }).first('place'))?.place ?? null;
}

/** Waits for a transaction that does the same. false: another folder, or the same one, was noted before. */
export async function adoptBlobFolder(tx: Queryable, folder: string, at: number): Promise<boolean> {
  const row = { id: folderRow, number: 0, place: folder, at };
  return (await tx('blob_place').insert(row).onConflict('id').ignore().returning('id')).length > 0;
}

export async function writeBlobFolder(tx: Queryable, folder: string, at: number): Promise<void> {
  await forgetBlobFolder(tx);
  await adoptBlobFolder(tx, folder, at);
}

export async function forgetBlobFolder(tx: Queryable): Promise<void> {
  await tx('blob_place').where({ id: folderRow }).delete();
}

/** The files were brought to another place with a backup. */
export async function renameBlobPlace(db: Queryable, place: string): Promise<void> {
  await db('blob_place').where({ id: 1 }).update({ place, moving_to: null, copied_to: null });
}

/** The number of the place that the settings name. @throws DatabaseError `unavailable` when the files were moved to another one */
export async function requireBlobPlace(db: Queryable, blobs: string): Promise<number> {
  const { number, place } = await readBlobPlace(db);
  if (place !== null && place !== blobs) throw new DatabaseError('unavailable', describeLeft(place));
  return number;
}

export function describeLeft(place: string): string {
  return `the sealed files were moved to ${place}: set "blobs" to it. To move them elsewhere, run "dropslot migrate --blobs" there`;
}

const trigger = 'dropslot_blob_place';

/** Takes `refusePlacesBefore` back, until rows of all times are copied into the database. Joins the caller's transaction. */
export async function acceptPlaces(tx: Knex): Promise<void> {
  await tx.raw(`DROP TRIGGER IF EXISTS ${trigger}${dialectOf(tx) === 'sqlite' ? '' : ' ON blobs'}`);
}

/** From the commit on no process publishes a file that it wrote into a place with a lower number. Joins the caller's transaction. */
export async function refusePlacesBefore(tx: Knex, number: number): Promise<void> {
  await acceptPlaces(tx);
  if (dialectOf(tx) === 'sqlite') {
    await tx.raw(
      `CREATE TRIGGER ${trigger} BEFORE INSERT ON blobs WHEN NEW.place_number < ${Number(number)} BEGIN SELECT RAISE(ABORT, '${placeRefusal}'); END`,
    );
    return;
  }
  await tx.raw(
    `CREATE OR REPLACE FUNCTION ${trigger}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '${placeRefusal}' USING ERRCODE = '25006'; END $$`,
  );
  await tx.raw(
    `CREATE TRIGGER ${trigger} BEFORE INSERT ON blobs FOR EACH ROW WHEN (NEW.place_number < ${Number(number)}) EXECUTE FUNCTION ${trigger}()`,
  );
}
