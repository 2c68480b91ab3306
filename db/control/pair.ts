/** The control database's half of the pair: its id, the directory's last known mark, and the numbers that it has given out. */

import type { Knex } from 'knex';
import { dialectOf } from '../dialect.js';
import type { Script } from '../script.js';

export interface ControlMarks {
  /** null: it has not met a directory database yet. */
  pairId: string | null;
  /** How many writes the directory had when a run was last settled. */
  directoryWrites: number;
  /** The highest numbers that this database has given out to runs and uploads, and not a newer one that was lost. */
  run: number;
  upload: number;
  /** The numbers after which the next run and upload get theirs: higher than `run` and `upload` where they were raised. */
  issued: { run: number; upload: number };
  /** Whether its numbers were raised above those of a newer one, and it is not known yet that nothing is lost. */
  isRaised: boolean;
}

type Numbers = Pick<ControlMarks, 'run' | 'upload'>;

/** The numbers of runs and uploads that are given out come from here. */
const sequences = { run: 'runs', upload: 'uploads' } as const;

export async function readControlMarks(db: Knex): Promise<ControlMarks> {
  const issued = (table: string) =>
    isPostgres(db)
      ? `(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM ${table}_id_seq)`
      : `COALESCE((SELECT seq FROM sqlite_sequence WHERE name = '${table}'), 0)`;
  const row = await db('pair')
    .where({ id: 1 })
    .first('*', db.raw(`${issued('runs')} AS runs`), db.raw(`${issued('uploads')} AS uploads`));
  return {
    pairId: row.pair_id,
    directoryWrites: row.directory_writes,
    run: Number(row.lost_run ?? row.runs),
    upload: Number(row.lost_upload ?? row.uploads),
    issued: { run: Number(row.runs), upload: Number(row.uploads) },
    isRaised: row.lost_run !== null,
  };
}

/** Whether commits of this database were lost, or may be in a newer one, and no operator has accepted that yet. */
export async function hasLostCommits(control: { read: Knex; mark?: { lost: unknown } }): Promise<boolean> {
  if ((control.mark?.lost ?? null) !== null) return true;
  return (await control.read('pair').where({ id: 1 }).whereNotNull('lost_run').first('id')) !== undefined;
}

/** Gives the database its id, unless it has one. */
export async function adoptControl(db: Knex, pairId: string): Promise<void> {
  await db('pair').where({ id: 1 }).whereNull('pair_id').update({ pair_id: pairId });
}

/**
 * Notes how many writes the directory has; joins the caller's transaction, at its end: on PostgreSQL all that settle a run
 * take turns from here on.
 */
export async function noteDirectoryWrites(script: Script, writes: number): Promise<void> {
  await script.run('UPDATE pair SET directory_writes = :writes WHERE id = 1 AND directory_writes < :writes', {
    writes,
  });
}

/**
 * Later runs and uploads get higher numbers than these. Remembers where the numbers of this database ended, until
 * `forgetRaise`.
 */
export async function raiseNumbers(db: Knex, above: Numbers): Promise<void> {
  await db.transaction(async (tx) => {
    const marks = await readControlMarks(tx);
    await tx('pair').where({ id: 1 }).update({ lost_run: marks.run, lost_upload: marks.upload });
    for (const [of, table] of Object.entries(sequences) as [keyof Numbers, string][]) {
      if (isPostgres(tx)) {
        const sequence = `${table}_id_seq`;
        await tx.raw(`SELECT setval('${sequence}', GREATEST(?, (SELECT last_value FROM ${sequence})))`, [
          Math.max(1, above[of]),
        ]);
        continue;
      }
      const has = await tx('sqlite_sequence').where({ name: table }).first();
      if (has === undefined) await tx('sqlite_sequence').insert({ name: table, seq: above[of] });
      else await tx('sqlite_sequence').where({ name: table }).where('seq', '<', above[of]).update({ seq: above[of] });
    }
  });
}

/** Nothing is lost, or an operator has accepted the loss. */
export async function forgetRaise(db: Knex): Promise<void> {
  await db('pair').where({ id: 1 }).update({ lost_run: null, lost_upload: null });
}

/** When a run was last settled, in ms; null: never. */
export async function findLastSettledAt(db: Knex): Promise<number | null> {
  return (await db('runs').where({ state: 'done' }).orderBy('id', 'desc').first('finished_at'))?.finished_at ?? null;
}

/** An operator has accepted a directory with fewer writes. */
export async function acceptDirectoryWrites(db: Knex, writes: number): Promise<void> {
  await db('pair').where({ id: 1 }).update({ directory_writes: writes });
}

function isPostgres(db: Knex): boolean {
  return dialectOf(db) === 'postgres';
}
