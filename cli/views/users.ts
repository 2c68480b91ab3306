/** How users look to people and to programs. */

import { formatTime } from '../../operations/format.js';
import { userToJson } from '../../operations/forms/directory.js';
import { hasNoEnd, type LabelledUser, type UserHistory } from '../../operations/users.js';
import { type ListView, renderRecord } from '../output.js';
import { describeChange, renderStory } from './origins.js';

export const userList: ListView<LabelledUser> = {
  columns: [
    { title: 'EMAIL', cell: (user) => user.email, whole: true },
    { title: 'NAME', cell: nameOf },
    { title: 'STATUS', cell: (user) => user.status },
    { title: 'TYPE', cell: (user) => user.accountType },
    { title: 'ADMIN', cell: (user) => (user.isAdmin ? 'yes' : '') },
    { title: 'MANAGER', cell: (user) => user.managerEmail ?? '' },
    { title: 'TEAMS', cell: (user) => user.teams.join(', ') },
  ],
  empty: 'No users.',
  toJson: userToJson,
};

export function renderUser({ user, reports, story, changes }: UserHistory): string {
  const record = renderRecord([
    ['Email', user.email],
    ['Name', nameOf(user) || null],
    ['First name', user.firstName],
    ['Last name', user.lastName],
    ['Status', user.status],
    ['Account type', user.accountType],
    ['Organization admin', user.isAdmin ? 'yes' : 'no'],
    ['Manager', user.managerEmail],
    ['Reports', String(reports)],
    ['Teams', user.teams.join(', ') || null],
    ['Deactivation date', hasNoEnd(user) ? 'no end' : user.deactivationDate],
    ['Deactivation due', user.deactivateAt === null ? null : formatTime(user.deactivateAt)],
    ['Deactivated', user.deactivatedAt === null ? null : describeDeactivation(user.deactivatedAt, user.deactivatedBy)],
    ...user.custom,
    ['Created', formatTime(user.createdAt)],
    ['Updated', formatTime(user.updatedAt)],
  ]);
  return `${record}\n\n${renderStory(story)}\n\nChanges, newest first:\n${changes.map((change) => `  ${describeChange(change)}`).join('\n')}`;
}

const causes: Record<string, string> = {
  import: 'by an import',
  undo: 'by the undo of an import',
  absence: 'since full files did not have the user',
};

function describeDeactivation(at: number, by: string | null): string {
  return `${formatTime(at)} ${causes[by ?? ''] ?? 'by a person'}`;
}

function nameOf(user: LabelledUser): string {
  return user.userName ?? [user.firstName, user.lastName].filter((part) => part !== null).join(' ');
}
