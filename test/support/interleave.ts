/** Puts the work of another process between two statements, or waits until a transaction waits for another one. */
import type { Db } from '../../db/connection.js';
import { until } from './session.js';

/** As `db`; `work` is done before its statement of this turn, the first being 1. */
export function beforeStatement(db: Db['read'], turn: number, work: () => Promise<unknown>): Db['read'] {
  let statements = 0;
  return new Proxy(db, {
    apply(target, self, given) {
      const builder = Reflect.apply(target, self, given);
      const run = builder.then.bind(builder);
      // biome-ignore lint/suspicious/noThenProperty: the builder is a thenable that runs its statement.
      builder.then = (done: never, failed: never) =>
        (++statements === turn ? work().then(() => run()) : run()).then(done, failed);
      return builder;
    },
  });
}

/** As `db`; `work` is done once, before its next transaction. */
export function beforeTransaction(db: Db, work: () => Promise<unknown>): Db {
  let isDone = false;
  const transact: Db['transact'] = async (next, options) => {
    if (!isDone) {
      isDone = true;
      await work();
    }
    return db.transact(next, options);
  };
  return { ...db, transact };
}

/** Does `work` in a transaction that stays open until `commit` is called. */
export function holdOpen(
  { transact }: Db,
  work: (tx: Db['write']) => Promise<unknown>,
): Promise<{ commit(): Promise<void> }> {
  return new Promise((resolve, reject) => {
    const ended: Promise<void> = transact(async (tx) => {
      await work(tx);
      await new Promise<void>((go) => {
        const commit = () => {
          go();
          return ended;
        };
        resolve({ commit });
      });
    });
    ended.catch(reject);
  });
}

/** On PostgreSQL, until a statement of this database waits for a lock; on SQLite every transaction waits for the one before. */
export async function untilBlocked({ dialect, read }: Db): Promise<void> {
  if (dialect !== 'postgres') return;
  await until(async () => {
    const { rows } = await read.raw(
      "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    );
    return rows.length > 0;
  }, 'a statement that waits for a lock');
}
