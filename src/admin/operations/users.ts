/** Looking up users of an organization, for lists and for one person. */
import { findUpload } from '../../db/control/uploads.js';
import { type FieldType, listFields } from '../../db/directory/fields.js';
import { listHistory, type RecordedChange } from '../../db/directory/history.js';
import { countReports, findUser, listUsers, type User, type UserStatus } from '../../db/directory/users.js';
import { emailKey } from '../../importer/normal.js';
import type { Workplace } from '../compose.js';
import { AdminError } from '../error.js';

const pageSize = 1000;
const shownChanges = 200;

/** A user with the values of custom fields by their labels, in the fields' order. */
export interface LabelledUser extends Omit<User, 'custom'> {
  custom: [label: string, value: string][];
  customTypes: [label: string, type: FieldType][];
}

export interface UserFilter {
  status?: UserStatus | undefined;
  /** null: all. */
  limit: number | null;
}

/** In the order of their addresses, page by page. */
export async function* walkUsers(place: Workplace, orgId: string, filter: UserFilter): AsyncGenerator<LabelledUser> {
  const org = await place.org(orgId);
  const label = await createLabeller(place, org.id);
  let left = filter.limit ?? Number.POSITIVE_INFINITY;
  for (let after: string | null = null; left > 0; ) {
    const limit = Math.min(pageSize, left);
    const users: User[] = await listUsers(place.directory.read, org.id, { after, limit, status: filter.status });
    for (const user of users) yield label(user);
    if (users.length < limit) return;
    left -= users.length;
    after = users.at(-1)!.emailKey;
  }
}

export interface UserChange extends RecordedChange {
  /** Path of the upload; null where no upload says it. */
  file: string | null;
}

export interface UserHistory {
  user: LabelledUser;
  /** Users whose manager this one is. */
  reports: number;
  /** The newest ones first. */
  changes: UserChange[];
}

/** @throws AdminError `not_found` */
export async function showUser(place: Workplace, orgId: string, email: string): Promise<UserHistory> {
  const org = await place.org(orgId);
  const db = place.directory.read;
  const user = await findUser(db, org.id, emailKey(email.trim()));
  if (user === null) throw new AdminError('not_found', `no user ${email} in ${org.id}`);
  const changes = await listHistory(db, 'user', String(user.id), shownChanges);
  const files = await findPaths(place, changes);
  const label = await createLabeller(place, org.id);
  return {
    user: label(user),
    reports: await countReports(db, user.id),
    changes: changes.map((change) => ({ ...change, file: files.get(change.uploadId ?? -1) ?? null })),
  };
}

/** The two databases can't be joined; a user's changes come from few uploads. */
async function findPaths(place: Workplace, changes: readonly RecordedChange[]): Promise<Map<number, string>> {
  const paths = new Map<number, string>();
  for (const id of new Set(changes.map((change) => change.uploadId))) {
    const upload = id === null ? null : await findUpload(place.control.read, id);
    if (upload !== null) paths.set(upload.id, upload.path);
  }
  return paths;
}

async function createLabeller(place: Workplace, org: string): Promise<(user: User) => LabelledUser> {
  const fields = await listFields(place.directory.read, org);
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
