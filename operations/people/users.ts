/** A person's changes of one user: set and clear values, deactivate and reactivate. */
import type { Queryable } from '../../db/connection.js';
import type { Org } from '../../db/control/orgs.js';
import {
  changeMemberships,
  type EditableUser,
  findHolder,
  forgetKnownRow,
  hasOtherAdmin,
  leadsUpTo,
  listMemberships,
  readEditableTeam,
  readEditableUser,
  updateUser,
} from '../../db/directory/edits.js';
import { digestOf } from '../../importer/read/knownrowfilter.js';
import { type UserColumn, userLabels } from '../../importer/read/labels.js';
import { emailKey, labelKey } from '../../importer/read/normalize.js';
import type { UserRow } from '../../importer/read/userrow.js';
import { dateIn } from '../../importer/schedule/calendar.js';
import { OperationError } from '../error.js';
import type { Workplace } from '../workplace.js';
import { type Edited, type EditedValue, editDirectory } from './edit.js';
import { type Assignment, findUserTargets, readUserValues, type Target } from './values.js';

/** In `users.deactivated_by`: no file brings these users back. */
const byPerson = 'operator';

/** Changes of a user that are found right: the row as it will be, and the teams. */
interface Draft {
  org: Org;
  before: EditableUser;
  after: EditableUser;
  values: EditedValue[];
  joined: number[];
  left: number[];
  /** The compared form of a new address, which other rows may mean. */
  isRenamed: boolean;
}

export interface Changes {
  set: readonly Assignment[];
  /** Labels whose values are emptied. */
  clear: readonly string[];
}

/** Sets and empties values in one run. @throws OperationError as setUser; `usage` for a label that is named twice */
export function changeUser(
  workplace: Workplace,
  orgId: string,
  email: string,
  { set: assignments, clear: emptied }: Changes,
): Promise<Edited> {
  const action = assignments.length === 0 ? 'user.cleared' : 'user.set';
  return editUser(workplace, orgId, email, action, async (tx, draft, at) => {
    const labels = assignments.map(({ label }) => label);
    const all = await findUserTargets(tx, draft.org, [...labels, ...emptied]);
    const [targets, empty] = [all.slice(0, labels.length), all.slice(labels.length)];
    const values = await readUserValues(tx, draft.org, draft.before.email, targets, assignments, at);
    for (const [index, target] of targets.entries()) {
      if (!isGiven(values, target))
        throw new OperationError('usage', `"${labels[index]}" has no value; to empty it: dropslot users clear`);
      if (target.field !== undefined) await setCustom(tx, draft, target.field, values.custom![target.field.id]!);
      else await setters[target.column](tx, draft, values, at);
    }
    for (const { column, field } of empty) {
      if (field !== undefined) {
        const { [field.id]: before = null, ...custom } = draft.after.custom;
        draft.after.custom = custom;
        note(draft, field.label, before, null, field.id);
      } else await clear(tx, draft, column);
    }
  });
}

/** @throws OperationError `not_found`; `usage` for a value that an import would not take; `refused` where it contradicts others */
export function setUser(
  workplace: Workplace,
  orgId: string,
  email: string,
  assignments: readonly Assignment[],
): Promise<Edited> {
  return changeUser(workplace, orgId, email, { set: assignments, clear: [] });
}

/** Empties values. @throws OperationError as setUser */
export function clearUser(
  workplace: Workplace,
  orgId: string,
  email: string,
  labels: readonly string[],
): Promise<Edited> {
  return changeUser(workplace, orgId, email, { set: [], clear: labels });
}

/** @param on a date as files of the organization have it; null: now. @throws OperationError as setUser */
export function deactivateUser(workplace: Workplace, orgId: string, email: string, on: string | null): Promise<Edited> {
  return editUser(workplace, orgId, email, 'user.deactivated', async (tx, draft, at) => {
    if (on === null) return deactivateNow(tx, draft, at);
    const assignment = { label: userLabels.deactivationDate, value: on };
    const values = await readUserValues(
      tx,
      draft.org,
      draft.before.email,
      [{ column: 'deactivationDate' }],
      [assignment],
      at,
    );
    await setters.deactivationDate(tx, draft, values, at);
  });
}

/** Makes a user active, and cancels a deactivation that is scheduled. @throws OperationError `not_found` */
export function reactivateUser(workplace: Workplace, orgId: string, email: string): Promise<Edited> {
  return editUser(workplace, orgId, email, 'user.reactivated', async (_tx, draft) => {
    const { before, after } = draft;
    if (before.status === 'active' && before.deactivate_at === null) return;
    note(draft, 'Status', before.status, 'active');
    note(draft, userLabels.deactivationDate, before.deactivation_date, null);
    Object.assign(after, { status: 'active', ...noDeactivation });
  });
}

const noDeactivation = { deactivation_date: null, deactivate_at: null, deactivated_at: null, deactivated_by: null };

async function editUser(
  workplace: Workplace,
  orgId: string,
  email: string,
  action: string,
  change: (tx: Queryable, draft: Draft, at: number) => Promise<void>,
): Promise<Edited> {
  return editDirectory(workplace, orgId, action, async (tx, org, at, version) => {
    const before = await readEditableUser(tx, org.id, emailKey(email.trim()));
    if (before === null) throw new OperationError('not_found', `no user ${email.trim()} in ${org.id}`);
    const after = { ...before, custom: { ...before.custom } };
    const draft: Draft = { org, before, after, values: [], joined: [], left: [], isRenamed: false };
    await change(tx, draft, at);
    const isOwner = before.email_key === emailKey(org.ownerEmail);
    return {
      entity: 'user',
      id: before.id,
      name: before.email,
      values: draft.values,
      apply: async (open, runId) => {
        // Other rows may mean another user once an address or an identifier has moved: then every row is planned again.
        if (!draft.isRenamed)
          await forgetKnownRow(open, org.id, version, Buffer.from(digestOf(before.email_key), 'latin1'));
        await updateUser(open, org.id, before, after, runId, at);
        await changeMemberships(open, before.id, draft);
      },
      ...(isOwner && draft.isRenamed && { org: { ownerEmail: after.email } }),
    };
  });
}

function isGiven(values: UserRow, { column, field }: Target<UserColumn>): boolean {
  return (field === undefined ? values[valueNames[column] ?? column] : values.custom?.[field.id]) != null;
}

/** The value of a row that a column gives, where it has another name. */
const valueNames: Partial<Record<UserColumn, keyof UserRow>> = { managerEmail: 'managerKey' };

type Setter = (tx: Queryable, draft: Draft, values: UserRow, at: number) => Promise<void> | void;

const setters: Record<Exclude<UserColumn, never>, Setter> = {
  email: setEmail,
  userName: (_tx, draft, { userName }) => setText(draft, 'userName', 'user_name', userName),
  firstName: (_tx, draft, { firstName }) => setText(draft, 'firstName', 'first_name', firstName),
  lastName: (_tx, draft, { lastName }) => setText(draft, 'lastName', 'last_name', lastName),
  managerName: () => {},
  managerEmail: setManager,
  teams: (tx, draft, { teams }) => setTeams(tx, draft, teams!),
  accountType: (_tx, draft, { accountType }) => setText(draft, 'accountType', 'account_type', accountType),
  isAdmin: setAdmin,
  deactivationDate: setDeactivation,
};

function setText(
  draft: Draft,
  column: UserColumn,
  name: 'user_name' | 'first_name' | 'last_name' | 'account_type',
  value: string | null,
): void {
  note(draft, userLabels[column], draft.before[name], value);
  Object.assign(draft.after, { [name]: value });
}

async function setEmail(tx: Queryable, draft: Draft, { email, key }: UserRow): Promise<void> {
  const { org, before, after } = draft;
  const holder = await readEditableUser(tx, org.id, key);
  if (holder !== null && holder.id !== before.id)
    throw new OperationError('refused', `another user of ${org.id} has the address ${email}`);
  note(draft, userLabels.email, before.email, email);
  Object.assign(after, { email, email_key: key });
  draft.isRenamed ||= key !== before.email_key;
}

async function setManager(tx: Queryable, draft: Draft, { managerEmail, managerKey }: UserRow): Promise<void> {
  const { org, before, after } = draft;
  const manager = await readEditableUser(tx, org.id, managerKey!);
  if (manager === null)
    throw new OperationError('refused', `no user ${managerEmail} in ${org.id}: import the manager first`);
  if (await leadsUpTo(tx, { table: 'users', edge: 'manager_id' }, manager.id, before.id))
    throw new OperationError(
      'refused',
      `${manager.email} reports to ${before.email}, directly or through others, and can't be their manager: change that first`,
    );
  note(draft, userLabels.managerEmail, await keyOfUser(tx, before.manager_id), managerKey);
  after.manager_id = manager.id;
}

async function setTeams(tx: Queryable, draft: Draft, teams: readonly { key: string; name: string }[]): Promise<void> {
  const wanted = new Map<number, string>();
  for (const { key, name } of teams) {
    const team = await readEditableTeam(tx, draft.org.id, key);
    if (team === null)
      throw new OperationError(
        'refused',
        `no team "${name}" in ${draft.org.id}: a file creates it, or correct the name`,
      );
    wanted.set(team.id, team.name);
  }
  const present = await listMemberships(tx, draft.before.id);
  const has = new Set(present.map(({ id }) => id));
  for (const { id, name } of present) {
    if (wanted.has(id)) continue;
    draft.left.push(id);
    draft.values.push({ field: userLabels.teams, before: name, after: null });
  }
  for (const [id, name] of wanted) {
    if (has.has(id)) continue;
    draft.joined.push(id);
    draft.values.push({ field: userLabels.teams, before: null, after: name });
  }
}

async function setAdmin(tx: Queryable, draft: Draft, { isAdmin }: UserRow): Promise<void> {
  const { before, after } = draft;
  if (isAdmin === false && before.is_admin === 1) await requireReplaceable(tx, draft);
  note(draft, userLabels.isAdmin, before.is_admin === 1 ? 'Yes' : 'No', isAdmin === true ? 'Yes' : 'No');
  after.is_admin = isAdmin === true ? 1 : 0;
}

async function setDeactivation(
  tx: Queryable,
  draft: Draft,
  { deactivationDate: date, deactivationAt }: UserRow,
  at: number,
): Promise<void> {
  const { org, before, after } = draft;
  if (date === null) throw new OperationError('usage', 'this date means no end: dropslot users reactivate');
  const today = dateIn(org.timeZone, at);
  if (date < today || date >= '2200')
    throw new OperationError(
      'usage',
      `${date} is ${date < today ? 'over' : 'no date of a deactivation'}: name a later day, or deactivate the user now: dropslot users deactivate ${org.id} ${before.email}`,
    );
  if (date === today) return deactivateNow(tx, draft, at);
  if (before.status !== 'active')
    throw new OperationError(
      'refused',
      `${before.email} is deactivated: first dropslot users reactivate ${org.id} ${before.email}`,
    );
  if (before.deactivate_at === null) await requireReplaceable(tx, draft);
  note(draft, userLabels.deactivationDate, before.deactivation_date, date);
  if (before.deactivation_date === date && before.deactivate_at !== deactivationAt)
    draft.values.push({ field: userLabels.deactivationDate, before: date, after: date });
  Object.assign(after, { deactivation_date: date, deactivate_at: deactivationAt });
}

async function deactivateNow(tx: Queryable, draft: Draft, at: number): Promise<void> {
  const { org, before, after } = draft;
  if (before.status === 'deactivated') return;
  await requireReplaceable(tx, draft);
  const today = dateIn(org.timeZone, at);
  note(draft, 'Status', 'active', 'deactivated');
  note(draft, userLabels.deactivationDate, before.deactivation_date, today);
  const done = { status: 'deactivated', deactivated_at: at, deactivated_by: byPerson };
  Object.assign(after, { ...done, deactivation_date: today, deactivate_at: null });
}

/** @throws OperationError `refused` for the owner and for the last active admin */
async function requireReplaceable(tx: Queryable, { org, before }: Draft): Promise<void> {
  if (before.email_key === emailKey(org.ownerEmail))
    throw new OperationError(
      'refused',
      `${before.email} is the owner of ${org.id}, who is always an active admin: name another owner first: dropslot orgs set ${org.id} owner=EMAIL`,
    );
  const isLasting = before.is_admin === 1 && before.status === 'active' && before.deactivate_at === null;
  if (isLasting && !(await hasOtherAdmin(tx, org.id, before.id)))
    throw new OperationError(
      'refused',
      `${before.email} is the last active admin of ${org.id}: name another one first`,
    );
}

async function setCustom(
  tx: Queryable,
  draft: Draft,
  { id, label, aliases }: { id: string; label: string; aliases: readonly string[] },
  value: string,
): Promise<void> {
  const { org, before, after } = draft;
  const identifier = labelKey(org.options.identifier ?? '');
  if ([labelKey(label), ...aliases].includes(identifier)) {
    const holder = await findHolder(tx, org.id, id, value, before.id);
    if (holder !== null)
      throw new OperationError('refused', `${holder} has the "${label}" ${value} already: each user has their own`);
    draft.isRenamed ||= before.custom[id] !== value;
  }
  note(draft, label, before.custom[id] ?? null, value, id);
  after.custom[id] = value;
}

async function clear(tx: Queryable, draft: Draft, column: UserColumn): Promise<void> {
  const { org, before, after } = draft;
  const label = userLabels[column];
  if (column === 'userName') return setText(draft, column, 'user_name', null);
  if (column === 'firstName') return setText(draft, column, 'first_name', null);
  if (column === 'lastName') return setText(draft, column, 'last_name', null);
  if (column === 'teams') return setTeams(tx, draft, []);
  if (column === 'managerEmail') {
    note(draft, label, await keyOfUser(tx, before.manager_id), null);
    after.manager_id = null;
    return;
  }
  if (column !== 'deactivationDate')
    throw new OperationError('usage', `every user has a "${label}": set it to another value instead`);
  if (before.status === 'deactivated')
    throw new OperationError(
      'refused',
      `${before.email} is deactivated; to make them active again: dropslot users reactivate ${org.id} ${before.email}`,
    );
  note(draft, label, before.deactivation_date, null);
  Object.assign(after, noDeactivation);
}

/** Notes a value that changes. */
function note(draft: Draft, field: string, before: string | null, after: string | null, customId?: string): void {
  if (before === after) return;
  draft.values.push({ field, before, after, ...(customId !== undefined && { customId }) });
}

async function keyOfUser(tx: Queryable, id: number | null): Promise<string | null> {
  return id === null ? null : ((await tx('users').where({ id }).first('email_key'))?.email_key ?? null);
}
