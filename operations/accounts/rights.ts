/** The rights of each role of the web console. */
import { type Account, orgRoles, type Role, roles, serverRoles } from '../../db/control/accounts.js';

export { type Account, orgRoles, type Role, roles, serverRoles };

/** A kind of page or action; each role has some of them. */
export type AccountRight =
  /** Sees an organization: its imports, people and settings. */
  | 'org.read'
  /** Decides for it: approves and discards held runs, checks files. */
  | 'org.decide'
  /** Changes its login keys. */
  | 'org.keys'
  /** Invites and removes its members. */
  | 'org.members'
  /** Changes its settings, enables and disables it, imports now. */
  | 'org.operate'
  /** Sees the whole server. */
  | 'server.read'
  /** Adds organizations. */
  | 'server.operate'
  /** Invites and removes people of the server, and manages tokens. */
  | 'server.people'
  | 'audit.read';

const ofOperator: readonly AccountRight[] = [
  ...(['org.read', 'org.decide', 'org.keys', 'org.members', 'org.operate'] as const),
  ...(['server.read', 'server.operate', 'audit.read'] as const),
];

export const rightsOf: Readonly<Record<Role, readonly AccountRight[]>> = {
  owner: [...ofOperator, 'server.people'],
  operator: ofOperator,
  'read-only': ['org.read', 'server.read'],
  auditor: ['audit.read'],
  admin: ['org.read', 'org.decide', 'org.keys', 'org.members'],
  viewer: ['org.read'],
};

export function hasRight({ role }: Pick<Account, 'role'>, right: AccountRight): boolean {
  return rightsOf[role].includes(right);
}
