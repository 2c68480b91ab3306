/** The directory database's half of the pair: its id, how often it was written to, and the newest run and upload that it has. */
import type { Queryable } from '../connection.js';
import type { Script } from '../script.js';

export interface DirectoryMarks {
  /** null: it has not met a control database yet. */
  pairId: string | null;
  /** Imports, edits and erasures: a copy of an earlier time has fewer. */
  writes: number;
  /** The highest numbers of runs and uploads that were applied to it; 0: none was. */
  run: number;
  upload: number;
}

const marks = `SELECT pair_id, writes, removed_run, removed_upload, (SELECT MAX(run_id) FROM applied_runs) AS run,
  (SELECT MAX(upload_id) FROM applied_uploads) AS upload FROM pair WHERE id = 1`;

export async function readDirectoryMarks(db: Queryable): Promise<DirectoryMarks> {
  const result = await db.raw(marks);
  const [row] = Array.isArray(result) ? result : result.rows;
  const { pair_id: pairId, writes, removed_run, removed_upload, run, upload } = row;
  return {
    pairId,
    writes: Number(writes),
    run: Math.max(removed_run, run ?? 0),
    upload: Math.max(removed_upload, upload ?? 0),
  };
}

export async function readWrites(db: Queryable): Promise<number> {
  return (await db('pair').where({ id: 1 }).first('writes')).writes;
}

/** Gives the database its id, unless it has one. */
export async function adoptDirectory(db: Queryable, pairId: string): Promise<void> {
  await db('pair').where({ id: 1 }).whereNull('pair_id').update({ pair_id: pairId });
}

/** Counts a write; joins the caller's transaction, at its end: on PostgreSQL all that write take turns from here on. */
export async function countWrite(script: Script): Promise<void> {
  await script.run('UPDATE pair SET writes = writes + 1 WHERE id = 1');
}

/** Before the runs and uploads of an organization are removed. From here on no other transaction applies or removes any. */
export async function keepHighest(tx: Queryable): Promise<void> {
  await tx('pair').where({ id: 1 }).forUpdate().first('id');
  const { run, upload } = await readDirectoryMarks(tx);
  await tx('pair').where({ id: 1 }).update({ removed_run: run, removed_upload: upload });
}

/** When anything was last applied to it, in ms; null: never. */
export async function findLastAppliedAt(db: Queryable): Promise<number | null> {
  return (await db('applied_runs').orderBy('run_id', 'desc').first('at'))?.at ?? null;
}
