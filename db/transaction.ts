/** Runs work in one transaction, and tells of one that failed whether its COMMIT was sent. */
import type { Knex } from 'knex';
import { noteCommitSent } from './error.js';

/** Commits when `work` resolves, rolls back when it rejects. Its error says by `isOutcomeUnknown` whether the writes may be there. */
export async function runTransaction<T>(db: Knex, work: (tx: Knex.Transaction) => Promise<T>): Promise<T> {
  let isSent = false;
  let failure: unknown;
  try {
    return await db.transaction(async (tx) => {
      const result = await work(tx).catch((cause: unknown) => {
        failure = cause;
        throw cause;
      });
      isSent = true;
      return result;
    });
  } catch (last) {
    // Where PostgreSQL ended the connection, the ROLLBACK fails too: the error before it has the reason.
    const error = failure ?? last;
    noteCommitSent(error, isSent);
    throw error;
  }
}
