/** Routes of the directory: users, teams, custom fields, and exports as CSV. */
import { z } from 'zod';
import { listCustomFields } from '../../../operations/customfields.js';
import { type ExportFilter, exportTeams, exportUsers, recordExport } from '../../../operations/export.js';
import { mailExport } from '../../../operations/exports/mailed.js';
import { isoTime } from '../../../operations/format.js';
import { changesToJson, countedFieldToJson, teamToJson, userToJson } from '../../../operations/forms/directory.js';
import { holding, takeDownload } from '../../../operations/places.js';
import { showTeam, type Team, type TeamHistory, walkTeams } from '../../../operations/teams.js';
import { type LabelledUser, showUser, walkUsers } from '../../../operations/users.js';
import {
  count,
  maybeTime,
  orgParams,
  pageByKey,
  pageByPlace,
  pageOf,
  pageQuery,
  pick,
  readText,
  time,
} from '../forms.js';
import { type Route, route } from '../route.js';

const maybeText = z.string().nullable();

export const user = z.strictObject({
  id: count,
  email: z.string(),
  userName: maybeText,
  firstName: maybeText,
  lastName: maybeText,
  managerEmail: maybeText,
  accountType: z.string(),
  isAdmin: z.boolean(),
  status: z.string(),
  deactivationDate: maybeText,
  deactivateAt: maybeTime,
  deactivatedAt: maybeTime,
  teams: z.array(z.string()),
  custom: z.record(z.string(), z.string()),
  createdAt: time,
  updatedAt: time,
});

export const team = z.strictObject({
  id: count,
  name: z.string(),
  owner: maybeText,
  parent: maybeText,
  type: maybeText,
  members: count,
  createdAt: time,
  updatedAt: time,
});

export const field = z.strictObject({
  label: z.string(),
  type: z.string(),
  hidden: z.boolean(),
  users: count,
  createdAt: time,
});

const origin = {
  field: z.string(),
  origin: maybeText,
  by: maybeText,
  run: count.nullable(),
  file: maybeText,
  line: count.nullable(),
};

const history = z.strictObject({
  story: z.array(z.strictObject({ ...origin, value: z.string(), since: maybeTime })),
  changes: z.array(z.strictObject({ ...origin, at: time, before: maybeText, after: maybeText })),
});

export const name = z.string().min(1).max(1_000);

export const showOneUser = (one: LabelledUser) => pick(user, userToJson(one));
export const showOneTeam = (one: Team) => pick(team, teamToJson(one));

function showHistory(found: Pick<TeamHistory, 'story' | 'changes'>) {
  const { story, changes } = changesToJson(found);
  const rows = changes.map(({ at, field: of, before, after, origin: from, by, runId, file, line }) => {
    return { at, field: of, before, after, origin: from, by, run: runId, file, line };
  });
  return { story, changes: rows };
}

const exports = { users: exportUsers, teams: exportTeams };

const yesOrNo = z.enum(['true', 'false']).default('false');
const teamQuery = z.strictObject({ changedSince: z.string().max(40).optional(), forSpreadsheet: yesOrNo });
const exportQueries = { users: teamQuery.extend({ active: yesOrNo }), teams: teamQuery };

function readFilter(query: z.infer<typeof teamQuery> & { active?: 'true' | 'false' }): ExportFilter {
  const { changedSince, forSpreadsheet, active } = query;
  return {
    changedSince,
    ...(forSpreadsheet === 'true' && { forSpreadsheet: true }),
    ...(active === 'true' && { active: true }),
  };
}

export const directoryRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/orgs/{org}/users',
    summary: 'Users in the order of their addresses',
    right: 'read',
    params: orgParams,
    query: pageQuery.extend({
      status: z.enum(['active', 'deactivated']).optional(),
      search: z.string().min(1).max(200).optional(),
    }),
    answer: pageOf(user),
    handle: ({ workplace, params, query }) => {
      const { status, search, limit } = query;
      const filter = { status, search, limit: limit + 1, after: readText(query) };
      return pageByKey(walkUsers(workplace, params.org, filter), query, ({ emailKey }) => emailKey, showOneUser);
    },
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/users/{email}',
    summary: 'A user',
    right: 'read',
    params: orgParams.extend({ email: name }),
    answer: user,
    handle: async ({ workplace, params }) => showOneUser((await showUser(workplace, params.org, params.email)).user),
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/users/{email}/history',
    summary: 'Where each value of a user is from, and the last changes, the newest first',
    right: 'read',
    params: orgParams.extend({ email: name }),
    answer: history.extend({ reports: count }),
    handle: async ({ workplace, params }) => {
      const { reports, ...found } = await showUser(workplace, params.org, params.email);
      return { reports, ...showHistory(found) };
    },
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/teams/{team}/history',
    summary: 'Where each value of a team is from, and the last changes, the newest first',
    right: 'read',
    params: orgParams.extend({ team: name }),
    answer: history,
    handle: async ({ workplace, params }) => showHistory(await showTeam(workplace, params.org, params.team)),
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/teams',
    summary: 'Teams in the order of their names',
    right: 'read',
    params: orgParams,
    query: pageQuery,
    answer: pageOf(team),
    handle: ({ workplace, params, query }) =>
      pageByKey(
        walkTeams(workplace, params.org, readText(query) ?? null),
        query,
        ({ nameKey }) => nameKey,
        showOneTeam,
      ),
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/teams/{team}',
    summary: 'A team, by its name or one that it had before',
    right: 'read',
    params: orgParams.extend({ team: name }),
    answer: team,
    handle: async ({ workplace, params }) => showOneTeam((await showTeam(workplace, params.org, params.team)).team),
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/fields',
    summary: 'Custom fields of users',
    right: 'read',
    params: orgParams,
    query: pageQuery,
    answer: pageOf(field),
    handle: async ({ workplace, params, query }) =>
      pageByPlace(await listCustomFields(workplace, params.org), query, (one) => pick(field, countedFieldToJson(one))),
  }),
  ...(['users', 'teams'] as const).map((what) =>
    route({
      method: 'GET',
      path: `/orgs/{org}/exports/${what}`,
      summary: `The ${what} as CSV, which imports again and then changes nothing; recorded in the audit trail`,
      right: 'read',
      params: orgParams,
      query: exportQueries[what],
      answer: 'text/csv',
      handle: async ({ workplace, params: { org }, query, busy }) => {
        const { id } = await workplace.org(org);
        const filter = readFilter(query);
        const leave = takeDownload(busy, { org: id });
        await recordExport(workplace, id, what, filter).catch((error) => {
          leave();
          throw error;
        });
        return { content: holding(exports[what](workplace, id, filter), leave), fileName: `${what}.csv` };
      },
    }),
  ),
  route({
    method: 'POST',
    path: '/orgs/{org}/exports/users/mail',
    summary:
      'Send an active admin of the organization a mail with a link that downloads the users as CSV once, within a day',
    right: 'operate',
    params: orgParams,
    body: z.strictObject({
      to: name,
      changedSince: z.string().max(40).optional(),
      active: z.boolean().optional(),
      forSpreadsheet: z.boolean().optional(),
    }),
    answer: z.strictObject({
      to: z.string(),
      /** In the SFTP tree of the organization, where the console has no HTTPS; null: the mail has a link. */
      path: maybeText,
      until: time,
    }),
    status: 201,
    handle: async ({ workplace, params: { org }, body: { to, ...filter }, busy }) => {
      const { id } = await workplace.org(org);
      const leave = takeDownload(busy, { org: id });
      const sent = await mailExport(workplace, id, to, filter).finally(leave);
      return { to: sent.to, path: sent.path, until: isoTime(sent.until) };
    },
  }),
];
