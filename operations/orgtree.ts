/** The organization tree: a person, the managers above, and the people directly below. */
import { listReports, type Report } from '../db/directory/reports.js';
import { findUser, type User } from '../db/directory/users.js';
import { emailKey } from '../importer/read/normalize.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

/** A longer chain is shown from its lower end. */
const mostAbove = 20;

export interface TreePart {
  /** null: the top of the tree. */
  person: User | null;
  /** The nearest manager last. */
  above: User[];
  below: Report[];
  /** Where the next page of those below begins; null: it is the last one. */
  next: string | null;
}

/** @param email null: the top. @throws OperationError `not_found` */
export async function readTree(
  { directory, org }: Workplace,
  orgId: string,
  email: string | null,
  { after, limit }: { after: string; limit: number },
): Promise<TreePart> {
  const { id } = await org(orgId);
  const db = directory.read;
  const person = email === null ? null : await findUser(db, id, emailKey(email));
  if (email !== null && person === null)
    throw new OperationError('not_found', `no user of ${id} has the address ${email}`);
  const above: User[] = [];
  for (let next = person?.managerEmail ?? null; next !== null && above.length < mostAbove; ) {
    const manager = await findUser(db, id, emailKey(next));
    if (manager === null) break;
    above.unshift(manager);
    next = manager.managerEmail;
  }
  const rows = await listReports(db, id, person?.emailKey ?? null, { after, limit: limit + 1 });
  const below = rows.slice(0, limit);
  return { person, above, below, next: rows.length > limit ? below.at(-1)!.emailKey : null };
}
