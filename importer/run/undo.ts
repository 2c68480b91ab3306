/** Undoes the changes of a run in a run of its own, which is planned, applied and recorded as an import is. */
import type { Org } from '../../db/control/orgs.js';
import type { Run } from '../../db/control/runs.js';
import type { Settlement } from '../../db/control/settle.js';
import { reportsFolder } from '../../db/control/treelayout.js';
import { readVersion } from '../../db/directory/directory.js';
import { requireWhole, type Stage } from '../../db/stage.js';
import { findReportKey } from '../../keys/pgp/keyset.js';
import type { Keep } from '../../storage/blobcommit.js';
import { contactOf } from '../contact.js';
import { noCounts } from '../counts.js';
import { ImportError } from '../error.js';
import { type Fate, listReversals } from '../plan/reversals.js';
import { planUndo, type UndoOutcome } from '../plan/undo.js';
import { guardFormula } from '../read/formulaguard.js';
import { emailKey } from '../read/normalize.js';
import { toCsv } from '../report/csv.js';
import { writePieces } from '../report/filereport.js';
import { ReportSet } from '../report/reportset.js';
import { summarizeRun } from '../report/summary.js';
import { dateIn } from '../schedule/calendar.js';
import type { Progress, RunSummary } from '../types.js';
import type { RunDeps } from './deps.js';
import { applyWithReports } from './reportedapply.js';

/** The reason why a value was left unchanged, for people. */
const reasons: Record<Fate, string> = {
  changed: 'it was changed after the run',
  gone: 'the user, team or field of its earlier value no longer exists',
  taken: 'another user has this email now',
  ring: 'the user or team would then manage or contain itself',
  stays: 'an undo removes no user, team or field, and does not deactivate the owner',
  unrecorded: 'an older version of Dropslot did not record the deactivation date before the run',
};

/**
 * Plans and applies the undo; returns the settlement that is left to do.
 * @throws ImportError `unsafe` when the organization would be left without an admin; DatabaseError `conflict` when the
 *   directory changed meanwhile.
 */
export async function undoRun(
  deps: RunDeps,
  run: Run,
  org: Org,
  stage: Stage,
  reportProgress: (progress: Progress) => void,
): Promise<Settlement> {
  const { directory, now, onStep } = deps;
  const undoes = run.undoes!;
  reportProgress({ phase: 'planning', file: null, rows: 0 });
  const version = await readVersion(directory.read, org.id);
  const moment = now();
  const today = dateIn(org.timeZone, moment);
  const outcome = await planReversal(stage, org, undoes, moment);
  await onStep?.('planned');
  return applyWithReports(deps, {
    ...{ run, org, stage, version, moment, reportProgress },
    uploads: [{ file: 0, uploadId: null }],
    counted: null,
    known: () => null,
    write: (keep) => writeUndoReports(deps, { run, org, today, moment }, stage, outcome, keep),
  });
}

/** @throws ImportError `unsafe` when the organization would be left without an admin. */
export async function planReversal(stage: Stage, org: Org, undoes: number, moment: number): Promise<UndoOutcome> {
  const today = dateIn(org.timeZone, moment);
  const replacesTeams = org.teamsMode === 'replace';
  const ownerKey = emailKey(org.ownerEmail);
  const context = { org: org.id, file: 0, today, now: moment, ownerKey, replacesTeams, mayClear: false };
  const outcome = await planUndo(stage, context, undoes, emailKey);
  if (outcome === null) {
    // An emptied stage has no admin.
    await requireWhole(stage, stage.db);
    throw new ImportError('unsafe', `undoing run ${undoes} would leave no active admin`);
  }
  return outcome;
}

async function writeUndoReports(
  deps: RunDeps,
  plan: Parameters<typeof summarizeRun>[0],
  stage: Stage,
  outcome: UndoOutcome,
  keep: Keep,
): Promise<Settlement> {
  const { run, org, today } = plan;
  const { kept } = outcome;
  const encryptTo = await findReportKey(deps.control.read, org.id, org.options.reportsTo);
  const set = new ReportSet({ ...deps, org, keep, encryptTo });
  const folder = reportsFolder(today);
  const write = () => writePieces({ paths: deps.paths, recipient: org.recipient, encryptTo }, describeKept(stage));
  const report = kept > 0 ? await set.add(folder, `run-${run.id}.undo.csv`, write) : null;
  const summary: RunSummary = {
    ...summarizeRun(plan, [], contactOf(org, deps.settings)),
    appliedAt: deps.now(),
    ...countUndone(outcome),
    undo: { run: run.undoes!, restored: outcome.restored, kept, report },
  };
  await set.addSummary(folder, `run-${run.id}.summary`, summary);
  return { reports: set.reports, uploads: [], summary };
}

/** Counts as a summary has them. */
export function countUndone({ users, teams, deactivated }: UndoOutcome): Pick<RunSummary, 'users' | 'teams'> {
  return { users: { ...noCounts(), updated: users, deactivated }, teams: { ...noCounts(), updated: teams } };
}

/** A value that an undo restores, or leaves unchanged for a reason. */
export interface UndoneValue {
  /** user, team or field. */
  what: string;
  name: string;
  column: string;
  /** Its value before the run, and the value that the run gave it. */
  before: string | null;
  after: string | null;
  /** null: it is restored. */
  leftAlone: string | null;
}

/** A page at a time. `most`: how many values at most. */
export async function* describeValues(
  stage: Stage,
  which: 'back' | 'kept',
  most?: number,
): AsyncGenerator<UndoneValue[]> {
  for await (const page of listReversals(stage, which, most))
    yield page.map(({ entity, name, field, before, after, fate }) => ({
      what: entity,
      name,
      column: field === '' ? '(created)' : field,
      before,
      after,
      leftAlone: fate === 'back' ? null : reasons[fate],
    }));
}

async function* describeKept(stage: Stage): AsyncGenerator<string> {
  yield toCsv([['what', 'name', 'column', 'before', 'after', 'why it was left alone']]);
  for await (const page of describeValues(stage, 'kept'))
    yield toCsv(
      page.map(({ what, name, column, before, after, leftAlone }) =>
        [what, name, column, before ?? '', after ?? '', leftAlone!].map(guardFormula),
      ),
    );
}
