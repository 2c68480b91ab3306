/** What belongs to the very end of a transaction: locks that every writer wants are then held as briefly as can be. */
import type { Knex } from 'knex';

/** Where a transaction keeps what waits for its end. */
const waiting = Symbol('waits for the end of the transaction');

/**
 * From here on every transaction of `db` that is given as a function ends with `finish`, once, right before its commit, if
 * anything waits; when `finish` throws, the transaction is rolled back.
 */
export function closeTransactionsWith<T>(db: Knex, finish: (tx: Knex, items: readonly T[]) => Promise<void>): void {
  const begin = db.transaction.bind(db) as (...args: unknown[]) => unknown;
  const transaction = (work: unknown, ...rest: unknown[]): unknown => {
    if (typeof work !== 'function') return begin(work, ...rest);
    return begin(
      async (tx: Knex) => {
        const items: T[] = [];
        Reflect.set(tx, waiting, items);
        const result: unknown = await work(tx);
        if (items.length > 0) await finish(tx, items);
        return result;
      },
      ...rest,
    );
  };
  Object.defineProperty(db, 'transaction', { value: transaction, configurable: true });
}

/** What `db` will be finished with, to be added to; null: it is no transaction that ends so. */
export function itemsOf<T>(db: Knex): T[] | null {
  return (Reflect.get(db, waiting) as T[] | undefined) ?? null;
}
