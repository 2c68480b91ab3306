/** The teams of an organization, as a list and as a tree. */
import { listTeams, type Team } from '../db/directory/teams.js';
import type { Workplace } from './workplace.js';

export type { Team } from '../db/directory/teams.js';

const pageSize = 1000;

/** In the order of their names, page by page. */
export async function* walkTeams(workplace: Workplace, orgId: string): AsyncGenerator<Team> {
  const org = await workplace.org(orgId);
  for (let after: string | null = null; ; ) {
    const teams: Team[] = await listTeams(workplace.directory.read, org.id, after, pageSize);
    yield* teams;
    if (teams.length < pageSize) return;
    after = teams.at(-1)!.nameKey;
  }
}

export interface TeamNode {
  team: Team;
  children: TeamNode[];
}

/** Teams below their parents, in the order they are given in. */
export function growTree(teams: readonly Team[]): TeamNode[] {
  const nodes = new Map(teams.map((team) => [team.id, { team, children: [] as TeamNode[] }]));
  const roots: TeamNode[] = [];
  for (const node of nodes.values()) {
    const parent = node.team.parentId === null ? undefined : nodes.get(node.team.parentId);
    (parent?.children ?? roots).push(node);
  }
  return roots;
}
