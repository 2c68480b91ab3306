/** Two requests that meet at the worst moment: the second one between the reads and the transaction of the first, or while its transaction is open. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Workplace } from '../../operations/workplace.js';
import { until } from './session.js';

/** As `place`; before its transaction of this number (from 1) the work of another request is done. */
export function beforeTransaction(place: Workplace, work: () => Promise<unknown>, number = 1): Workplace {
  let begun = 0;
  return withTransact(place, (transact) => async (inside, options) => {
    if (++begun === number) await work();
    return transact(inside, options);
  });
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
  const reached = signal();
  const released = signal();
  const held = withTransact(place, (transact) => (inside, options) => {
    const heldInside: typeof inside = async (tx) => {
      const result = await inside(tx);
      reached.resolve();
      await released.promise;
      return result;
    };
    return transact(heldInside, options);
  });
  const one = first(held);
  await Promise.race([reached.promise, one]);
  let hasEnded = false;
  const two = second().finally(() => {
    hasEnded = true;
  });
  two.catch(() => {});
  // On SQLite there is one writer: the second one waits in any case.
  if (place.control.dialect === 'sqlite') await sleep(20);
  else await until(async () => hasEnded || (await hasWaiting(place)), 'the second one waits, or has ended');
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

async function hasWaiting({ control }: Workplace): Promise<boolean> {
  const waiting = control.read('pg_stat_activity').whereRaw('datname = current_database()');
  return (await waiting.where({ wait_event_type: 'Lock' }).first('pid')) !== undefined;
}

type Transact = Workplace['control']['transact'];

function withTransact(place: Workplace, wrap: (transact: Transact) => Transact): Workplace {
  const transact = wrap(place.control.transact) as Transact;
  return { ...place, control: { ...place.control, transact } };
}
