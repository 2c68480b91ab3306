/** Looks at a control database before and after each commit, and leaves each transaction the way that it takes in a server. */
import type { Db, TransactOptions } from '../../db/connection.js';

export interface WatchedCommits {
  control: Db;
  /** Of all commits, and of those by a transaction of knex; the others were short ones (db/sqlite/ahead.ts). */
  counts: { all: number; long: number };
}

/**
 * @param begin what it returns is given to `committed`, unless the transaction fails. Nothing else commits meanwhile
 */
export function watchCommits<State>(
  control: Db,
  begin: () => State,
  committed: (state: State) => Promise<void>,
): WatchedCommits {
  const counts = { all: 0, long: 0 };
  control.write.on('query', ({ sql }: { sql: string }) => {
    if (/^COMMIT/i.test(sql)) counts.long++;
  });
  let last: Promise<unknown> = Promise.resolve();
  const transact = <T>(work: Parameters<typeof control.transact<T>>[0], options?: TransactOptions): Promise<T> => {
    const commit = async (): Promise<T> => {
      const state = begin();
      const result = await control.transact(work, options);
      counts.all++;
      await committed(state);
      return result;
    };
    const run = last.then(commit);
    last = run.catch(() => {});
    return run;
  };
  return { control: { ...control, transact }, counts };
}
