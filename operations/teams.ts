/** The teams of an organization, as a list and as a tree. */
import { listHistory, listOrigins } from '../db/directory/history.js';
import { findTeam, listTeams, type Team } from '../db/directory/teams.js';
import { nameKey } from '../importer/read/normalize.js';
import { OperationError } from './error.js';
import { findOrigins, type OriginatedChange } from './origins.js';
import type { Workplace } from './workplace.js';

export type { Team } from '../db/directory/teams.js';

const pageSize = 1000;

/** In the order of their names, page by page. @param from only teams after this compared name; null: all */
export async function* walkTeams(
  workplace: Workplace,
  orgId: string,
  from: string | null = null,
): AsyncGenerator<Team> {
  const org = await workplace.org(orgId);
  for (let after = from; ; ) {
    const teams: Team[] = await listTeams(workplace.directory.read, org.id, after, pageSize);
    yield* teams;
    if (teams.length < pageSize) return;
    after = teams.at(-1)!.nameKey;
  }
}

export interface TeamHistory {
  team: Team;
  /** Where each value that it has is from. */
  story: { field: string; value: string; from: OriginatedChange | null }[];
  /** The newest ones first. */
  changes: OriginatedChange[];
}

const shownChanges = 200;

/** @param name its name, or one that it had before. @throws OperationError `not_found` */
export async function showTeam(workplace: Workplace, orgId: string, name: string): Promise<TeamHistory> {
  const org = await workplace.org(orgId);
  const db = workplace.directory.read;
  const team = await findTeam(db, org.id, nameKey(name));
  if (team === null)
    throw new OperationError('not_found', `no team "${name}" in ${org.id}; see "dropslot teams list ${org.id}"`);
  const origins = await findOrigins(workplace, await listOrigins(db, 'team', String(team.id)));
  const created = origins.find(({ field }) => field === '') ?? null;
  const values: [string, string | null][] = [
    ['Team Name', team.name],
    ['Owner Email', team.ownerEmail],
    ['Parent Team', team.parentName],
    ['Team Type', team.type],
  ];
  return {
    team,
    story: values.flatMap(([field, value]) =>
      value === null ? [] : [{ field, value, from: origins.findLast((one) => one.field === field) ?? created }],
    ),
    changes: await findOrigins(workplace, await listHistory(db, 'team', String(team.id), shownChanges)),
  };
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
