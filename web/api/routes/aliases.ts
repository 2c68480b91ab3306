/** Routes of the earlier names of teams, which files may still use. */
import { z } from 'zod';
import { isoTime } from '../../../operations/format.js';
import { forgetAlias, listAliasesOf } from '../../../operations/teamrename.js';
import { orgParams, pageByPlace, pageOf, pageQuery, time } from '../forms.js';
import { type Route, route } from '../route.js';
import { name } from './directory.js';

const alias = z.strictObject({ name: z.string(), team: z.string(), since: time });

export const aliasRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/orgs/{org}/team-aliases',
    summary: 'Earlier names of teams, which files may still use',
    right: 'read',
    params: orgParams,
    query: pageQuery,
    answer: pageOf(alias),
    handle: async ({ workplace, params, query }) =>
      pageByPlace(await listAliasesOf(workplace, params.org), query, ({ name: old, teamName, createdAt }) => ({
        name: old,
        team: teamName,
        since: isoTime(createdAt),
      })),
  }),
  route({
    method: 'DELETE',
    path: '/orgs/{org}/team-aliases/{alias}',
    summary: 'Forget an earlier name of a team: a file that uses it creates a team of that name',
    right: 'operate',
    params: orgParams.extend({ alias: name }),
    answer: z.strictObject({ name: z.string() }),
    handle: async ({ workplace, params }) => {
      await forgetAlias(workplace, params.org, params.alias);
      return { name: params.alias };
    },
  }),
];
