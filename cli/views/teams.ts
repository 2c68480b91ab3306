/** Teams and their old names, for people and as JSON. */

import { escapeControl, formatTime, isoTime } from '../../operations/format.js';
import { teamToJson } from '../../operations/forms/directory.js';
import type { TeamAlias } from '../../operations/teamrename.js';
import type { Team, TeamHistory, TeamNode } from '../../operations/teams.js';
import { type ListView, renderRecord } from '../output.js';
import { describeChange, renderStory } from './origins.js';

export const aliasList: ListView<TeamAlias> = {
  columns: [
    { title: 'OLD NAME', cell: (alias) => alias.name },
    { title: 'TEAM', cell: (alias) => alias.teamName },
    { title: 'SINCE', cell: (alias) => formatTime(alias.createdAt) },
  ],
  empty: 'No team was renamed.',
  toJson: ({ name, teamName, createdAt }) => ({ name, team: teamName, since: isoTime(createdAt) }),
};

export const teamList: ListView<Team> = {
  columns: [
    { title: 'TEAM', cell: (team) => team.name, whole: true },
    { title: 'PARENT', cell: (team) => team.parentName ?? '' },
    { title: 'TYPE', cell: (team) => team.type ?? '' },
    { title: 'MEMBERS', cell: (team) => String(team.members), align: 'right' },
    { title: 'OWNER', cell: (team) => team.ownerEmail ?? '' },
  ],
  empty: 'No teams.',
  toJson: teamToJson,
};

/** One line for each team, drawn below its parent. */
export function renderTree(nodes: readonly TeamNode[], indent = ''): string[] {
  return nodes.flatMap(({ team, children }, index) => {
    const isLast = index === nodes.length - 1;
    const members = team.members === 1 ? '1 member' : `${team.members} members`;
    return [
      `${indent}${isLast ? '└─ ' : '├─ '}${escapeControl(team.name)} (${members})`,
      ...renderTree(children, `${indent}${isLast ? '   ' : '│  '}`),
    ];
  });
}

export function renderTeam({ team, story, changes }: TeamHistory): string {
  const record = renderRecord([
    ['Team', team.name],
    ['Owner', team.ownerEmail],
    ['Parent', team.parentName],
    ['Type', team.type],
    ['Members', String(team.members)],
    ['Created', formatTime(team.createdAt)],
    ['Updated', formatTime(team.updatedAt)],
  ]);
  return `${record}\n\n${renderStory(story)}\n\nChanges, newest first:\n${changes.map((change) => `  ${describeChange(change)}`).join('\n')}`;
}
