/** Routes of a person's changes in the directory: values of users and teams, names of teams, custom fields. */
import { z } from 'zod';
import {
  confirmField,
  countUsers,
  type Field,
  hideField,
  renameField,
  retypeField,
  showField,
} from '../../../operations/customfields.js';
import { OperationError } from '../../../operations/error.js';
import { countedFieldToJson } from '../../../operations/forms/directory.js';
import type { Edited } from '../../../operations/people/edit.js';
import { changeTeam } from '../../../operations/people/teams.js';
import { changeUser, deactivateUser, reactivateUser } from '../../../operations/people/users.js';
import { renameTeamOf } from '../../../operations/teamrename.js';
import { showTeam } from '../../../operations/teams.js';
import { showUser } from '../../../operations/users.js';
import type { Workplace } from '../../../operations/workplace.js';
import { count, orgParams, pick } from '../forms.js';
import { type Route, route } from '../route.js';
import { field, name, showOneTeam, showOneUser, team } from './directory.js';

const userParams = orgParams.extend({ email: name });
const teamParams = orgParams.extend({ team: name });
const fieldParams = orgParams.extend({ field: name });

const label = z.string().min(1).max(1_000);
const types = ['text', 'boolean', 'date'] as const;

/** `set` by label, as files have it; `clear`: labels whose values are emptied. */
const changes = z.strictObject({
  set: z.record(label, z.string().min(1).max(100_000)).default({}),
  clear: z.array(label).max(500).default([]),
});

const edited = z.strictObject({
  /** The run of the change, which can be undone; empty: everything was as it was asked for. */
  runs: z.array(count),
  changes: z.array(z.strictObject({ field: z.string(), before: z.string().nullable(), after: z.string().nullable() })),
});

async function show(making: Promise<Edited>): Promise<{ runs: number[]; changes: unknown[] }> {
  const { run, values } = await making;
  const changed = values.map(({ field: of, before, after }) => ({ field: of, before, after }));
  return { runs: run === null ? [] : [run], changes: changed };
}

/** @throws OperationError `usage` */
function readAssignments(set: Readonly<Record<string, string>>, clear: readonly string[]) {
  const assignments = Object.entries(set).map(([of, value]) => ({ label: of.trim(), value: value.trim() }));
  if (assignments.length + clear.length === 0)
    throw new OperationError('usage', 'name at least one value in "set" or "clear"');
  return assignments;
}

async function currentUser({ workplace, params }: { workplace: Workplace; params: { org: string; email: string } }) {
  return showOneUser((await showUser(workplace, params.org, params.email)).user);
}

async function currentTeam({ workplace, params }: { workplace: Workplace; params: { org: string; team: string } }) {
  return showOneTeam((await showTeam(workplace, params.org, params.team)).team);
}

async function currentField({ workplace, params }: { workplace: Workplace; params: { org: string; field: string } }) {
  return pick(field, countedFieldToJson(await showField(workplace, params.org, params.field)));
}

async function showCounted(workplace: Workplace, org: string, one: Field) {
  return pick(field, countedFieldToJson(await countUsers(workplace, org, one)));
}

export const editRoutes: readonly Route[] = [
  route({
    method: 'PATCH',
    path: '/orgs/{org}/users/{email}',
    summary: 'Set or empty values of a user, checked as an import checks them',
    right: 'operate',
    params: userParams,
    body: changes,
    answer: edited,
    current: currentUser,
    comparesIn: 'directory',
    handle: ({ workplace, params: { org, email }, body: { set, clear } }) =>
      show(changeUser(workplace, org, email, { set: readAssignments(set, clear), clear })),
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/users/{email}/deactivate',
    summary: 'Deactivate a user now, or on a date',
    right: 'operate',
    params: userParams,
    body: z.strictObject({ on: z.string().min(1).max(40).nullable().default(null) }),
    answer: edited,
    current: currentUser,
    comparesIn: 'directory',
    handle: ({ workplace, params: { org, email }, body }) => show(deactivateUser(workplace, org, email, body.on)),
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/users/{email}/reactivate',
    summary: 'Make a user active again, or cancel a deactivation that is scheduled',
    right: 'operate',
    params: userParams,
    answer: edited,
    current: currentUser,
    comparesIn: 'directory',
    handle: ({ workplace, params: { org, email } }) => show(reactivateUser(workplace, org, email)),
  }),
  route({
    method: 'PATCH',
    path: '/orgs/{org}/teams/{team}',
    summary: 'Set or empty values of a team; its name is changed by "rename"',
    right: 'operate',
    params: teamParams,
    body: changes,
    answer: edited,
    current: currentTeam,
    comparesIn: 'directory',
    handle: ({ workplace, params: { org, team: of }, body: { set, clear } }) =>
      show(changeTeam(workplace, org, of, { set: readAssignments(set, clear), clear })),
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/teams/{team}/rename',
    summary: 'Give a team another name; files may still use the old one',
    right: 'operate',
    params: teamParams,
    body: z.strictObject({ name }),
    answer: team,
    current: currentTeam,
    comparesIn: 'directory',
    handle: async ({ workplace, params: { org, team: of }, body }) => {
      await renameTeamOf(workplace, org, of, body.name);
      return currentTeam({ workplace, params: { org, team: body.name } });
    },
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/fields',
    summary: 'Create a custom field whose label looks like a misspelt standard column',
    right: 'operate',
    params: orgParams,
    body: z.strictObject({ label, type: z.enum(types).default('text') }),
    answer: field,
    status: 201,
    handle: async ({ workplace, params: { org }, body }) =>
      showCounted(workplace, org, await confirmField(workplace, org, body.label, body.type)),
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/fields/{field}',
    summary: 'A custom field, by its label',
    right: 'read',
    params: fieldParams,
    answer: field,
    handle: currentField,
  }),
  route({
    method: 'PATCH',
    path: '/orgs/{org}/fields/{field}',
    summary: 'Rename, hide, show or retype a custom field, one of them; "force" keeps values that do not fit the type',
    right: 'operate',
    params: fieldParams,
    body: z.union([
      z.strictObject({ label }),
      z.strictObject({ hidden: z.boolean() }),
      z.strictObject({ type: z.enum(types), force: z.boolean().default(false) }),
    ]),
    answer: field,
    current: currentField,
    comparesIn: 'directory',
    handle: async ({ workplace, params: { org, field: of }, body }) => {
      if ('label' in body) return showCounted(workplace, org, await renameField(workplace, org, of, body.label));
      if ('hidden' in body) return showCounted(workplace, org, await hideField(workplace, org, of, body.hidden));
      return showCounted(workplace, org, await retypeField(workplace, org, of, body.type, { force: body.force }));
    },
  }),
];
