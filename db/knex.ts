/** Makes knex instances that write nothing to the console and keep values out of their errors, and read-only transactions of them. */
import createKnex, { type Knex } from 'knex';

const ignore = () => {};

/**
 * knex throws each failure to its caller, who logs it; knex's own log lines bypass the logger, and may name values.
 * The values of a statement (names, addresses, hashes of passwords) have no place in the message of its failure either.
 */
export function openKnex(config: Knex.Config): Knex {
  const log = { warn: ignore, error: ignore, deprecate: ignore, debug: ignore };
  return createKnex({ ...config, compileSqlOnError: false, log });
}

/** One transaction that only reads, all from the same moment. */
export interface Moment {
  readonly db: Knex;
  close(): Promise<void>;
}

/**
 * @param first a statement that takes the snapshot: BEGIN alone does not.
 * @param end runs after the transaction has ended.
 */
export async function beginMoment(
  instance: Knex,
  config: Knex.TransactionConfig,
  first: string,
  end: () => Promise<void>,
): Promise<Moment> {
  const db = await instance.transaction(config);
  const close = async () => {
    if (!db.isCompleted()) await db.rollback();
    await end();
  };
  try {
    await db.raw(first);
    return { db, close };
  } catch (error) {
    await db.rollback();
    throw error;
  }
}
