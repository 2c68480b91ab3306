/** A person's changes of one team: set and clear its owner, parent and type; and the team with its history. */
import type { Queryable } from '../../db/connection.js';
import type { Org } from '../../db/control/orgs.js';
import {
  type EditableTeam,
  forgetKnownRow,
  leadsUpTo,
  readEditableTeam,
  readEditableUser,
  updateTeam,
} from '../../db/directory/edits.js';
import { type TeamColumn, teamLabels } from '../../importer/read/labels.js';
import { nameKey } from '../../importer/read/normalize.js';
import type { TeamRow } from '../../importer/read/teamrow.js';
import { OperationError } from '../error.js';
import type { Workplace } from '../workplace.js';
import { type Edited, type EditedValue, editDirectory } from './edit.js';
import type { Changes } from './users.js';
import { type Assignment, findTeamTargets, readTeamValues } from './values.js';

interface Draft {
  org: Org;
  before: EditableTeam;
  after: EditableTeam;
  values: EditedValue[];
}

/** Sets and empties values in one run. @throws OperationError as setTeam; `usage` for a label that is named twice */
export function changeTeam(
  workplace: Workplace,
  orgId: string,
  name: string,
  { set: assignments, clear: emptied }: Changes,
): Promise<Edited> {
  const action = assignments.length === 0 ? 'team.cleared' : 'team.set';
  return editTeam(workplace, orgId, name, action, async (tx, draft) => {
    const labels = assignments.map(({ label }) => label);
    const all = findTeamTargets(draft.org, [...labels, ...emptied]);
    const [targets, empty] = [all.slice(0, labels.length), all.slice(labels.length)];
    const values = await readTeamValues(tx, draft.org, draft.before.name, targets, assignments);
    for (const [index, column] of targets.entries()) {
      if (values[valueNames[column]] === null)
        throw new OperationError('usage', `"${labels[index]}" has no value; to empty it: dropslot teams clear`);
      await setValue(tx, draft, column, values);
    }
    for (const column of empty) {
      if (column === 'ownerEmail')
        throw new OperationError('usage', `every team has an owner: set "${teamLabels.ownerEmail}" to another user`);
      await setValue(tx, draft, column, null);
    }
  });
}

/** @throws OperationError `not_found`; `usage` for a value that an import would not take; `refused` where it contradicts others */
export function setTeam(
  workplace: Workplace,
  orgId: string,
  name: string,
  assignments: readonly Assignment[],
): Promise<Edited> {
  return changeTeam(workplace, orgId, name, { set: assignments, clear: [] });
}

/** Empties values; a team without an owner gets the organization's. @throws OperationError as setTeam */
export function clearTeam(
  workplace: Workplace,
  orgId: string,
  name: string,
  labels: readonly string[],
): Promise<Edited> {
  return changeTeam(workplace, orgId, name, { set: [], clear: labels });
}

async function editTeam(
  workplace: Workplace,
  orgId: string,
  name: string,
  action: string,
  change: (tx: Queryable, draft: Draft) => Promise<void>,
): Promise<Edited> {
  return editDirectory(workplace, orgId, action, async (tx, org, at, version) => {
    const before = await readEditableTeam(tx, org.id, nameKey(name));
    if (before === null)
      throw new OperationError('not_found', `no team "${name}" in ${org.id}; see "dropslot teams list ${org.id}"`);
    const draft: Draft = { org, before, after: { ...before }, values: [] };
    await change(tx, draft);
    return {
      entity: 'team',
      id: before.id,
      name: before.name,
      values: draft.values,
      apply: async (open) => {
        // No row of a users file says anything about a team itself.
        await forgetKnownRow(open, org.id, version, null);
        await updateTeam(open, draft.after, at);
      },
    };
  });
}

const valueNames: Readonly<Record<TeamColumn, keyof TeamRow>> = {
  name: 'name',
  ownerEmail: 'ownerKey',
  parent: 'parentKey',
  type: 'type',
};

/** @param values null: it is emptied. */
async function setValue(tx: Queryable, draft: Draft, column: TeamColumn, values: TeamRow | null): Promise<void> {
  const { org, before, after } = draft;
  if (column === 'type') {
    after.type = values?.type ?? null;
    return note(draft, column, before.type, after.type);
  }
  if (column === 'ownerEmail') {
    const owner = await readEditableUser(tx, org.id, values!.ownerKey!);
    if (owner === null)
      throw new OperationError('refused', `no user ${values!.ownerEmail} in ${org.id}: import the owner first`);
    after.owner_id = owner.id;
    const held = before.owner_id === null ? undefined : await tx('users').where({ id: before.owner_id }).first();
    return note(draft, column, held?.email_key ?? null, owner.email_key);
  }
  const parent = values === null ? null : await readEditableTeam(tx, org.id, values.parentKey!);
  if (values !== null && parent === null)
    throw new OperationError(
      'refused',
      `no team "${values.parentName}" in ${org.id}: a file creates it, or correct the name`,
    );
  if (parent !== null && (await leadsUpTo(tx, { table: 'teams', edge: 'parent_id' }, parent.id, before.id)))
    throw new OperationError(
      'refused',
      `"${parent.name}" is below "${before.name}", and can't be its parent: change that first`,
    );
  after.parent_id = parent?.id ?? null;
  const was = before.parent_id === null ? undefined : await tx('teams').where({ id: before.parent_id }).first();
  note(draft, column, was?.name_key ?? null, parent?.name_key ?? null);
}

function note(draft: Draft, column: TeamColumn, before: string | null, after: string | null): void {
  if (before !== after) draft.values.push({ field: teamLabels[column], before, after });
}
