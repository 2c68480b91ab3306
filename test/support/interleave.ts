/** Two pieces of work that meet at the worst moment: between two statements, before a transaction, or while one is open. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Db } from '../../db/connection.js';
import type { Workplace } from '../../operations/workplace.js';
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

/** As `db`; `work` is done before its transaction of this number, the first being 1. */
export function beforeTransaction(db: Db, work: () => Promise<unknown>, number = 1): Db {
  let begun = 0;
  const transact: Db['transact'] = async (next, options) => {
    if (++begun === number) await work();
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
export async function untilBlocked(db: Db): Promise<void> {
  if (db.dialect === 'postgres') await until(() => hasBlocked(db), 'a statement that waits for a lock');
}

async function hasBlocked({ read }: Db): Promise<boolean> {
  const waiting = read('pg_stat_activity').whereRaw('datname = current_database()');
  return (await waiting.where({ wait_event_type: 'Lock' }).first('pid')) !== undefined;
}

/**
 * Begins the second request when the transaction of the first has done its work, and lets that commit when the second one waits for
 * it, or has ended.
 */
export async function meet<A, B>(
  place: Workplace,
  first: (held: Workplace) => Promise<A>,
  second: () => Promise<B>,
): Promise<[PromiseSettledResult<A>, PromiseSettledResult<B>]> {
  const { control } = place;
  const reached = signal();
  const released = signal();
  const transact: Db['transact'] = (inside, options) =>
    control.transact(async (tx) => {
      const result = await inside(tx);
      reached.resolve();
      await released.promise;
      return result;
    }, options);
  const one = first({ ...place, control: { ...control, transact } });
  await Promise.race([reached.promise, one]);
  let hasEnded = false;
  const two = second().finally(() => {
    hasEnded = true;
  });
  two.catch(() => {});
  // On SQLite there is one writer: the second one waits in any case.
  if (control.dialect === 'sqlite') await sleep(20);
  else await until(async () => hasEnded || (await hasBlocked(control)), 'the second one waits, or has ended');
  released.resolve();
  const [a, b] = await Promise.allSettled([one, two]);
  return [a, b];
}

function signal() {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
