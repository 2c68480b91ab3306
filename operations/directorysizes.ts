/** How many users and teams each organization has, page by page. */
import { listOrgs, type Org } from '../db/control/orgs.js';
import { countTeamsOf } from '../db/directory/teams.js';
import { countUsersOf, type UserCounts } from '../db/directory/users.js';
import type { Workplace } from './workplace.js';

export interface DirectorySize {
  org: Org;
  users: UserCounts;
  teams: number;
}

/** @param filter `search`: part of an id or a name, in any case */
export async function summarizeDirectories(
  { control, directory }: Workplace,
  { search, from, most }: { search: string; from: number; most: number },
): Promise<{ orgs: DirectorySize[]; total: number }> {
  const needle = search.toLowerCase();
  const fitting = (await listOrgs(control.read)).filter(
    ({ id, name }) => id.includes(needle) || name.toLowerCase().includes(needle),
  );
  const page = fitting.slice(from, from + most);
  const ids = page.map(({ id }) => id);
  const usersOf = await countUsersOf(directory.read, ids);
  const teamsOf = await countTeamsOf(directory.read, ids);
  const empty: UserCounts = { active: 0, deactivated: 0, admins: 0 };
  const orgs = page.map((org) => ({ org, users: usersOf.get(org.id) ?? empty, teams: teamsOf.get(org.id) ?? 0 }));
  return { orgs, total: fitting.length };
}
