/** Users, teams and custom fields as JSON. The command line and the API give the same. */
import type { CountedField, Field } from '../customfields.js';
import { isoTime } from '../format.js';
import type { OriginatedChange } from '../origins.js';
import type { Team, TeamHistory, TeamNode } from '../teams.js';
import type { LabelledUser, UserHistory } from '../users.js';

export function userToJson(user: LabelledUser) {
  const { emailKey, custom, customTypes, deactivateAt, deactivatedAt, createdAt, updatedAt, ...plain } = user;
  return {
    ...plain,
    deactivateAt: isoTime(deactivateAt),
    deactivatedAt: isoTime(deactivatedAt),
    custom: Object.fromEntries(custom),
    customTypes: Object.fromEntries(customTypes),
    createdAt: isoTime(createdAt),
    updatedAt: isoTime(updatedAt),
  };
}

export function historyToJson({ user, reports, ...history }: UserHistory) {
  return { ...userToJson(user), reports, ...changesToJson(history) };
}

/** Where each value is from, and the changes, the newest first. */
export function changesToJson({ story, changes }: Pick<TeamHistory, 'story' | 'changes'>) {
  return { story: storyToJson(story), changes: changes.map(({ at, ...change }) => ({ at: isoTime(at), ...change })) };
}

export function teamToJson(team: Team) {
  return {
    id: team.id,
    name: team.name,
    owner: team.ownerEmail,
    parent: team.parentName,
    type: team.type,
    members: team.members,
    createdAt: isoTime(team.createdAt),
    updatedAt: isoTime(team.updatedAt),
  };
}

export function teamHistoryToJson({ team, ...history }: TeamHistory) {
  return { ...teamToJson(team), ...changesToJson(history) };
}

export function treeToJson({ team, children }: TeamNode): Record<string, unknown> {
  return { ...teamToJson(team), children: children.map(treeToJson) };
}

type Story = readonly { field: string; value: string; from: OriginatedChange | null }[];

function storyToJson(story: Story): Record<string, unknown>[] {
  return story.map(({ field, value, from }) => ({
    field,
    value,
    since: from === null ? null : isoTime(from.at),
    origin: from?.origin ?? null,
    by: from?.by ?? null,
    run: from?.runId ?? null,
    file: from?.file ?? null,
    line: from?.line ?? null,
  }));
}

export function fieldToJson({ createdAt, ...field }: Field) {
  return { ...field, createdAt: isoTime(createdAt) };
}

export function countedFieldToJson({ users, ...field }: CountedField) {
  return { ...fieldToJson(field), users };
}
