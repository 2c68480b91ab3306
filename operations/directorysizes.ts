/** How many users and teams each organization has, page by page. */
import { listOrgs, type Org } from '../db/control/orgs.js';
import { countTeams } from '../db/directory/teams.js';
import { countUsers, type UserCounts } from '../db/directory/users.js';
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
  const orgs: DirectorySize[] = [];
  for (const org of fitting.slice(from, from + most))
    orgs.push({
      org,
      users: await countUsers(directory.read, org.id),
      teams: await countTeams(directory.read, org.id),
    });
  return { orgs, total: fitting.length };
}
