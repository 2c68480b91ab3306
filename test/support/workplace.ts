/** A workplace over a test's databases, as commands open it. */
import { openWorkplace } from '../../app/compose.js';
import type { Settings } from '../../config/settings.js';
import type { Db, Half } from '../../db/connection.js';
import { type ExamineOptions, examine as examineWith } from '../../operations/doctor/examine.js';
import type { Finding } from '../../operations/doctor/finding.js';
import type { Workplace } from '../../operations/workplace.js';
import type { Scope } from './temporary.js';

export async function workplaceOn(t: Scope, settings: Settings): Promise<Workplace> {
  const place = await openWorkplace(settings, { create: true });
  t.after(() => place.close());
  return place;
}

/** What `dropslot doctor` finds in the data of `settings`. */
export function examine(settings: Settings, options: ExamineOptions = {}): Promise<Finding[]> {
  return examineWith(settings, openWorkplace, options);
}

/** As `place`; right before the first transaction of an operation in one of its databases begins, another change is made. */
export function changedBefore(place: Workplace, half: Half, change: () => Promise<unknown>): Workplace {
  return { ...place, [half]: withChangeBefore(place[half], change) };
}

/** As changedBefore, of a database. */
export function withChangeBefore(db: Db, change: () => Promise<unknown>): Db {
  let isMade = false;
  const transact: Db['transact'] = async (work, options) => {
    if (!isMade) {
      isMade = true;
      await change();
    }
    return db.transact(work, options);
  };
  return { ...db, transact };
}
