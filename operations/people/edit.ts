/** Makes a person's change of one user or team: recorded as imports record theirs, audited, and undone by `runs undo`. */
import type { Queryable } from '../../db/connection.js';
import { recordAudit } from '../../db/control/audit.js';
import { type Org, type OrgChange, updateOrg } from '../../db/control/orgs.js';
import { insertEditRun } from '../../db/control/runs.js';
import { bumpVersion } from '../../db/directory/directory.js';
import { recordEdit } from '../../db/directory/edits.js';
import { changesMark, recordDirectoryEvents } from '../../db/directory/events.js';
import { recordPersonSet } from '../../db/directory/fieldorigins.js';
import { recordChanges } from '../../db/directory/history.js';
import { noCounts } from '../../importer/counts.js';
import { dateIn } from '../../importer/schedule/calendar.js';
import type { RunSummary } from '../../importer/types.js';
import type { Workplace } from '../workplace.js';

/** A value that is changed. */
export interface EditedValue {
  /** The label, as the record of changes has it. */
  field: string;
  before: string | null;
  after: string | null;
  /** The id of a custom field; absent: a standard column. */
  customId?: string;
}

/** A change that was found right, and is not made yet. */
export interface Edit {
  entity: 'user' | 'team';
  id: number;
  /** The name that a message has for the user or team. */
  name: string;
  /** Empty: everything is as it was asked for. */
  values: readonly EditedValue[];
  /** Makes the change. `runId`: the run that it is recorded with. */
  apply(tx: Queryable, runId: number): Promise<void>;
  /** A change of the organization that belongs to it. */
  org?: OrgChange;
}

export interface Edited {
  name: string;
  /** The run that `runs undo` takes; null: there was nothing to change. */
  run: number | null;
  values: readonly EditedValue[];
}

/** Ends the transaction of an edit that changes nothing, so that no import has to plan anew. */
class Unchanged extends Error {
  constructor(readonly edited: Edited) {
    super('nothing to change');
  }
}

/**
 * Prepares and makes a change in one transaction that an import's plan can't overtake. Its run and its audit record are
 * committed right before it.
 * @param action of the audit trail, for example `user.set`.
 * @param prepare checks the change; gets the organization, whose owner remains until the end, and the version of the directory that
 * the change makes.
 */
export async function editDirectory(
  workplace: Workplace,
  orgId: string,
  action: string,
  prepare: (tx: Queryable, org: Org, at: number, version: number) => Promise<Edit>,
): Promise<Edited> {
  const { directory, now } = workplace;
  const { id } = await workplace.org(orgId);
  const at = now();
  try {
    return await directory.transact(async (tx) => {
      const version = await bumpVersion(tx, id);
      const org = await workplace.org(id);
      const mark = await changesMark(tx);
      const edit = await prepare(tx, org, at, version);
      const { entity, id: entityId, name, values } = edit;
      if (values.length === 0) throw new Unchanged({ name, run: null, values });
      const run = await recordRun(workplace, org, action, edit, at);
      await recordEdit(tx, org.id, run, at);
      await edit.apply(tx, run);
      const changes = values.map(({ field, before, after }) => ({ field, before, after }));
      await recordChanges(
        tx,
        changes.map((change) => ({ org: org.id, entity, entityId: String(entityId), at, ...change })),
        run,
      );
      const fields = values.map(
        ({ field, customId }) => customId ?? (field === 'Status' ? 'Deactivation Date' : field),
      );
      await recordPersonSet(tx, { org: org.id, entity, entityId }, fields, at);
      await recordDirectoryEvents(tx, org.id, mark, at);
      return { name, run, values };
    });
  } catch (error) {
    if (error instanceof Unchanged) return error.edited;
    throw error;
  }
}

/** The audit record names the user by the id in the directory, and the fields: addresses and values are personal data. */
function recordRun(workplace: Workplace, org: Org, action: string, edit: Edit, at: number): Promise<number> {
  const { control, actor } = workplace;
  const { entity, id, values, org: change } = edit;
  return control.transact(async (tx) => {
    const counts = { ...noCounts(), updated: 1 };
    counts.deactivated = values.some(({ field, after }) => field === 'Status' && after === 'deactivated') ? 1 : 0;
    const summary: Omit<RunSummary, 'run'> = {
      org: org.id,
      kind: 'edit',
      state: 'applied',
      hold: [],
      note: null,
      date: dateIn(org.timeZone, at),
      timeZone: org.timeZone,
      startedAt: at,
      appliedAt: at,
      users: entity === 'user' ? counts : noCounts(),
      teams: entity === 'team' ? counts : noCounts(),
      files: [],
      edit: { by: actor },
    };
    const run = await insertEditRun(tx, org.id, summary, at);
    if (change !== undefined) await updateOrg(tx, org.id, change);
    const detail = { run, fields: [...new Set(values.map(({ field }) => field))] };
    await recordAudit(tx, { at, org: org.id, actor, action, subject: `${entity} ${id}`, detail });
    return run;
  });
}
