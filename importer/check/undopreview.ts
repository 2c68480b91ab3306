/** Plans the undo of a run in a stage of its own, so that an operator sees the values it would restore; applies nothing. */
import type { Org } from '../../db/control/orgs.js';
import { contactOf } from '../contact.js';
import { countUndone, describeValues, planReversal, type UndoneValue } from '../run/undo.js';
import { dateIn } from '../schedule/calendar.js';
import type { RunSummary } from '../types.js';
import { type TrialDeps, withTrialStage } from './trialplan.js';

/** Gives `use` the summary, and the values that an undo would restore or leave alone; they can be listed while it works. */
export async function previewUndo<T>(
  deps: TrialDeps,
  org: Org,
  undoes: number,
  use: (
    summary: RunSummary,
    list: (which: 'back' | 'kept', most?: number) => AsyncIterable<UndoneValue[]>,
  ) => Promise<T>,
): Promise<T> {
  const moment = deps.now();
  return withTrialStage(deps, async (stage) => {
    const outcome = await planReversal(stage, org, undoes, moment);
    const summary: RunSummary = {
      run: null,
      org: org.id,
      kind: 'undo',
      state: 'planned',
      hold: [],
      note: null,
      contact: contactOf(org, deps.settings),
      date: dateIn(org.timeZone, moment),
      timeZone: org.timeZone,
      startedAt: moment,
      ...countUndone(outcome),
      undo: { run: undoes, restored: outcome.restored, kept: outcome.kept, report: null },
      files: [],
    };
    return use(summary, (which, most) => describeValues(stage, which, most));
  });
}
