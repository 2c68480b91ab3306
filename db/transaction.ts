/** Runs work in one transaction, and tells of one that failed whether its COMMIT was sent. */
import type { Knex } from 'knex';
import { noteCommitSent } from './error.js';

/** Commits when `work` resolves, rolls back when it rejects. Its error says by `isOutcomeUnknown` whether the writes may be there. */
export async function runTransaction<T>(db: Knex, work: (tx: Knex.Transaction) => Promise<T>): Promise<T> {
  let isSent = false;
  try {
    return await db.transaction(async (tx) => {
      const result = await work(tx);
      isSent = true;
      return result;
    });
  } catch (error) {
    noteCommitSent(error, isSent);
    throw error;
  }
}
