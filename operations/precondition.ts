/** Changes for one state only: in the transaction of the change it is compared again, where no other change can come between. */
import type { Db, Half } from '../db/connection.js';
import { lockDirectory } from '../db/directory/directory.js';
import { lockOrganization, type Workplace } from './workplace.js';

export type { Half } from '../db/connection.js';

/** Throws unless the state, read through a workplace, is the one that a change is for. */
export type Compare = (workplace: Workplace) => Promise<void>;

/**
 * A workplace for one operation on an organization, or on something of it: its first transaction that is committed in `half` begins
 * with the organization's lock and the comparison. Later transactions of the operation see its own changes.
 */
export function onlyWhile(workplace: Workplace, half: Half, id: string, compare: Compare): Workplace {
  return half === 'control' ? guardControl(workplace, id, compare) : guardDirectory(workplace, id, compare);
}

/** All is read in the transaction: requests that hold a connection each, and wait for another one, could take all of them. */
function guardControl(workplace: Workplace, id: string, compare: Compare): Workplace {
  const { control } = workplace;
  const transact = beginWith(control, async (tx) => {
    const org = await lockOrganization(tx, id);
    await compare({ ...workplace, org: async () => org, control: { ...control, read: tx } });
  });
  return { ...workplace, control: { ...control, transact } };
}

function guardDirectory(workplace: Workplace, id: string, compare: Compare): Workplace {
  const { directory } = workplace;
  const transact = beginWith(directory, async (tx) => {
    await lockDirectory(tx, id);
    await compare({ ...workplace, directory: { ...directory, read: tx } });
  });
  return { ...workplace, directory: { ...directory, transact } };
}

function beginWith({ transact }: Db, check: (tx: Db['read']) => Promise<void>): Db['transact'] {
  let isChecked = false;
  return async (work, options) => {
    if (isChecked) return transact(work, options);
    const result = await transact(async (tx) => {
      await check(tx);
      return work(tx);
    });
    isChecked = true;
    return result;
  };
}
