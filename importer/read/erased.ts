/** The people whom an organization erased: tells whether an address or an identifier of a file is of one of them (rule U16). */
import { createHmac } from 'node:crypto';
import { makeIssue } from '../codes.js';
import type { Issue } from '../types.js';
import { type ColumnPlan, labelOf } from './columns.js';
import type { TeamColumn, UserColumn } from './labels.js';
import type { TeamRow } from './teamrow.js';
import type { UserRow } from './userrow.js';

/** `address`: its compared form. */
export type ErasedKind = 'address' | 'identifier';

/** The digest by which an address or an identifier is remembered. @param key the organization's, in hex */
export function digestErased(key: string, org: string, kind: ErasedKind, value: string): string {
  return createHmac('sha256', Buffer.from(key, 'hex')).update(`${org}\n${kind}\n${value}`).digest('hex');
}

export class ErasedPeople {
  readonly #digests: ReadonlySet<string>;
  readonly #key: string;
  readonly #org: string;

  constructor(org: string, key: string, digests: readonly string[]) {
    this.#org = org;
    this.#key = key;
    this.#digests = new Set(digests);
  }

  has(kind: ErasedKind, value: string): boolean {
    return this.#digests.has(digestErased(this.#key, this.#org, kind, value));
  }
}

/** The row, without a manager who was erased; null: its user was erased, and `issues` says so. */
export function dropErasedUser(
  user: UserRow,
  erased: ErasedPeople,
  columns: ColumnPlan,
  issues: Issue[],
): UserRow | null {
  if (erased.has('address', user.key) || (user.ident !== null && erased.has('identifier', user.ident))) {
    issues.push(issueOf('user_erased', user.line, columns, 'email', user.email));
    return null;
  }
  if (user.managerKey === null || !erased.has('address', user.managerKey)) return user;
  issues.push(issueOf('manager_erased', user.line, columns, 'managerEmail', user.managerEmail));
  return { ...user, managerKey: null, managerEmail: null, managerName: null };
}

/** The row, without an owner who was erased. */
export function dropErasedOwner(team: TeamRow, erased: ErasedPeople, columns: ColumnPlan, issues: Issue[]): TeamRow {
  if (team.ownerKey === null || !erased.has('address', team.ownerKey)) return team;
  issues.push(issueOf('owner_erased', team.line, columns, 'ownerEmail', team.ownerEmail));
  return { ...team, ownerKey: null, ownerEmail: null };
}

function issueOf(
  code: 'user_erased' | 'manager_erased' | 'owner_erased',
  line: number,
  columns: ColumnPlan,
  column: UserColumn | TeamColumn,
  value: string | null,
): Issue {
  const label = labelOf(columns, column);
  return makeIssue(code, { line, column: label, value }, { label });
}
