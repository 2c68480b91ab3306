/** Runs a part of a transaction so that it can fail alone. */
import type { Queryable } from '../connection.js';
import { eventsOf, outboxOf } from './audittransaction.js';

/**
 * Where `work` rejects, its writes, audit records and events are undone, and the rest of the transaction goes on.
 * @param tx a transaction of `Db.transact`
 */
export async function runPart<T>(tx: Queryable, work: (tx: Queryable) => Promise<T>): Promise<T> {
  const recorded = [eventsOf(tx), outboxOf(tx)].filter((list) => list !== null);
  const lengths = recorded.map(({ length }) => length);
  await tx.raw('SAVEPOINT part');
  try {
    const result = await work(tx);
    await tx.raw('RELEASE SAVEPOINT part');
    return result;
  } catch (error) {
    await tx.raw('ROLLBACK TO SAVEPOINT part');
    await tx.raw('RELEASE SAVEPOINT part');
    for (const [index, list] of recorded.entries()) list.length = lengths[index]!;
    throw error;
  }
}
