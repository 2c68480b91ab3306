/** Bytes of uploads in progress, by organization, that each process tells the others: they count for the quota before they are stored. */
import type { Queryable } from '../connection.js';

export interface OpenBytes {
  /** Names the process that tells them. */
  process: string;
  at: number;
  /** What was told before that time (ms) is of processes that have ended. */
  before: number;
  /** No bytes: nothing is in progress any more. */
  rows: readonly { org: string; bytes: number }[];
}

export async function writeOpenBytes(tx: Queryable, { process, at, before, rows }: OpenBytes): Promise<void> {
  await tx('open_bytes').where('told_at', '<', before).delete();
  for (const { org, bytes } of rows) {
    if (bytes === 0) await tx('open_bytes').where({ process, org_id: org }).delete();
    else
      await tx('open_bytes')
        .insert({ process, org_id: org, bytes, told_at: at })
        .onConflict(['process', 'org_id'])
        .merge();
  }
}

/** Of a process that has ended. */
export async function deleteOpenBytes(db: Queryable, process: string): Promise<void> {
  await db('open_bytes').where({ process }).delete();
}
