/** The users of an organization: a list, and one user with every recorded change. */
import { type FieldType, listFields } from '../db/directory/fields.js';
import { listFormerLabels, listHistory, listOrigins } from '../db/directory/history.js';
import { countReports, findUser, listUsers, type User, type UserStatus } from '../db/directory/users.js';
import { noEnd } from '../importer/read/dates.js';
import { emailKey } from '../importer/read/normalize.js';
import { OperationError } from './error.js';
import { findOrigins, type OriginatedChange } from './origins.js';
import type { Workplace } from './workplace.js';

export type { UserStatus } from '../db/directory/users.js';

const pageSize = 1000;
const shownChanges = 200;

/** A user with the values of custom fields by their labels, in the fields' order. */
export interface LabelledUser extends Omit<User, 'custom'> {
  custom: [label: string, value: string][];
  customTypes: [label: string, type: FieldType][];
}

export interface UserFilter {
  status?: UserStatus | undefined;
  /** Part of an address or a name, in any case. */
  search?: string | undefined;
  /** null: all. */
  limit: number | null;
  /** Only users after this compared address. */
  after?: string | undefined;
}

/** In the order of their addresses, page by page. */
export async function* walkUsers(
  workplace: Workplace,
  orgId: string,
  filter: UserFilter,
): AsyncGenerator<LabelledUser> {
  const org = await workplace.org(orgId);
  const label = await createLabeller(workplace, org.id);
  let left = filter.limit ?? Number.POSITIVE_INFINITY;
  for (let after: string | null = filter.after ?? null; left > 0; ) {
    const limit = Math.min(pageSize, left);
    const { status, search } = filter;
    const users: User[] = await listUsers(workplace.directory.read, org.id, { after, limit, status, search });
    for (const user of users) yield label(user);
    if (users.length < limit) return;
    left -= users.length;
    after = users.at(-1)!.emailKey;
  }
}

export type UserChange = OriginatedChange;

/** One value, and the change that brought it; null: from before changes were recorded. */
export interface FieldStory {
  field: string;
  value: string;
  from: UserChange | null;
}

export interface UserHistory {
  user: LabelledUser;
  /** Users whose manager this one is. */
  reports: number;
  /** Where each value that they have is from. */
  story: FieldStory[];
  /** The newest ones first. */
  changes: UserChange[];
}

/** @throws OperationError `not_found` */
export async function showUser(workplace: Workplace, orgId: string, email: string): Promise<UserHistory> {
  const org = await workplace.org(orgId);
  const db = workplace.directory.read;
  const user = await findUser(db, org.id, emailKey(email.trim()));
  if (user === null) throw new OperationError('not_found', `no user ${email} in ${org.id}`);
  const changes = await findOrigins(workplace, await listHistory(db, 'user', String(user.id), shownChanges));
  const origins = await findOrigins(workplace, await listOrigins(db, 'user', String(user.id)));
  const label = await createLabeller(workplace, org.id);
  const fields = await listFields(db, org.id);
  const labels = new Map(fields.map((field) => [field.id, field.label]));
  const former = await listFormerLabels(db, [...labels.keys()]);
  const isKnown = new Set(labels.values());
  const called = (field: string) => (isKnown.has(field) ? field : (labels.get(former.get(field) ?? '') ?? field));
  return {
    user: label(user),
    story: tellStory(
      label(user),
      origins.map((one) => ({ ...one, field: called(one.field) })),
    ),
    reports: await countReports(db, user.id),
    changes: changes.map((one) => (one.field === '' ? { ...one, after: relabel(one.after, labels) } : one)),
  };
}

/** Of a user who was created: the custom values by their labels of today. */
function relabel(created: string | null, labels: ReadonlyMap<string, string>): string | null {
  if (created === null) return null;
  const { custom, ...values } = JSON.parse(created) as { custom?: Record<string, unknown> };
  if (custom === undefined) return created;
  const called = Object.entries(custom).map(([id, value]) => [labels.get(id) ?? id, value]);
  return JSON.stringify({ ...values, custom: Object.fromEntries(called) });
}

/** The values in the order of the standard labels and by their labels of today, each with the last change of it; else with the creation. */
function tellStory(user: LabelledUser, origins: readonly UserChange[]): FieldStory[] {
  const created = origins.find(({ field }) => field === '') ?? null;
  const values: [string, string | null][] = [
    ['User Email', user.email],
    ['User Name', user.userName],
    ['First Name', user.firstName],
    ['Last Name', user.lastName],
    ['Manager Email', user.managerEmail],
    ['User Account Type', user.accountType],
    ['Is Org Admin', user.isAdmin ? 'Yes' : 'No'],
    ['Deactivation Date', user.deactivationDate],
    ['Status', user.status],
    ...user.custom,
  ];
  const plain = values.flatMap(([field, value]): FieldStory[] =>
    value === null ? [] : [{ field, value, from: origins.findLast((one) => one.field === field) ?? created }],
  );
  const teams = user.teams.map((value): FieldStory => {
    const from = origins.find(({ field, after }) => field === 'Teams' && after === value) ?? created;
    return { field: 'Teams', value, from };
  });
  return [...plain, ...teams];
}

async function createLabeller(workplace: Workplace, org: string): Promise<(user: User) => LabelledUser> {
  const fields = await listFields(workplace.directory.read, org);
  return (user) => ({
    ...user,
    customTypes: fields.flatMap(({ id, label, type }): [string, FieldType][] =>
      user.custom[id] === undefined ? [] : [[label, type]],
    ),
    custom: fields.flatMap(({ id, label }): [string, string][] => {
      const value = user.custom[id];
      return value === undefined ? [] : [[label, value]];
    }),
  });
}

/** Whether the user's date means that there is no end of the employment (rule U12a). */
export function hasNoEnd({ deactivationDate }: Pick<User, 'deactivationDate'>): boolean {
  return deactivationDate === noEnd;
}
