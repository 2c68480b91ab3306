/** Routes of organizations: list, show, add, change, enable, disable, remove. */
import { z } from 'zod';
import { OperationError } from '../../../operations/error.js';
import { orgDetailsToJson, orgStateToJson, orgToJson } from '../../../operations/forms/orgs.js';
import { detailOrg, listSomeOrgStates, type Org, stateOrgs } from '../../../operations/orgdetails.js';
import {
  addOrganization,
  disableOrganization,
  enableOrganization,
  removeOrganization,
  setOrganization,
} from '../../../operations/orgs.js';
import { readOrgFields } from '../../../operations/orgsettings/orgsettings.js';
import { requestSftp } from '../../../operations/sftpaccess.js';
import type { Workplace } from '../../../operations/workplace.js';
import { count, orgParams, pageByKey, pageOf, pageQuery, pick, readText, time } from '../forms.js';
import { type Route, route } from '../route.js';

const shape = {
  id: z.string(),
  name: z.string(),
  owner: z.string(),
  plan: z.string(),
  enabled: z.boolean(),
  slot: z.string(),
  timeZone: z.string(),
  recipient: z.string(),
  createdAt: time,
};

const org = z.strictObject(shape);

/** Verdicts of the early check on queued files. */
const checks = z.strictObject({ wouldImport: count, wouldHold: count, wouldRefuse: count, unchecked: count });

const listed = z.strictObject({
  ...shape,
  usableKeys: count,
  sessions: count,
  queued: count,
  checks,
  heldRun: count.nullable(),
});

const details = z.strictObject({
  ...shape,
  usableKeys: count,
  queued: count,
  waitingForRename: count,
  notImported: count,
  users: z.strictObject({ active: count, deactivated: count, admins: count }),
  teams: count,
  heldRun: count.nullable(),
  hasDoor: z.boolean(),
  imports: z.string(),
  nextSlotAt: time,
  settings: z.record(z.string(), z.string()),
});

/** By the names of `dropslot orgs set`, each as it takes it. */
const settings = z.record(z.string().max(64), z.string().max(4_000));

const maySettings = z.strictObject({ settings });

function showOrg(one: Org): unknown {
  return pick(org, orgToJson(one));
}

async function show(workplace: Workplace, id: string): Promise<unknown> {
  const found = await detailOrg(workplace, await workplace.org(id));
  return pick(details, {
    ...orgDetailsToJson(found),
    imports: found.imports,
    settings: Object.fromEntries(found.settings.map(({ setting, text }) => [setting.name, text])),
  });
}

export const orgRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/orgs',
    summary: 'Organizations; for a token of one organization, that one',
    right: 'read',
    query: pageQuery,
    answer: pageOf(listed),
    handle: async ({ workplace, token, query }) => {
      const after = readText(query) ?? '';
      const found =
        token.org === null
          ? await listSomeOrgStates(workplace, after, query.limit + 1)
          : await stateOrgs(workplace, [await workplace.org(token.org)]);
      return pageByKey(
        found,
        query,
        ({ org: { id } }) => id,
        (one) => pick(listed, orgStateToJson(one)),
      );
    },
  }),
  route({
    method: 'POST',
    path: '/orgs',
    summary: 'Add an organization',
    right: 'admin',
    isOfServer: true,
    body: maySettings.extend({
      id: z.string().max(64),
      owner: z.string().max(254),
      enable: z.boolean().default(false),
      settings: settings.default({}),
    }),
    answer: org,
    status: 201,
    handle: async ({ workplace, body: { id, owner, enable, settings: given } }) => {
      const fields = { ...readOrgFields({ ...given, owner }), ownerEmail: owner.trim() };
      return showOrg((await addOrganization(workplace, id, fields, enable)).org);
    },
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}',
    summary: 'An organization with its counts and settings',
    right: 'read',
    params: orgParams,
    answer: details,
    handle: ({ workplace, params }) => show(workplace, params.org),
  }),
  route({
    method: 'PATCH',
    path: '/orgs/{org}',
    summary: 'Change settings of an organization, as "dropslot orgs set"',
    right: 'admin',
    isOfServer: true,
    params: orgParams,
    body: maySettings.extend({ createOwner: z.boolean().default(false) }),
    answer: details,
    current: ({ workplace, params }) => show(workplace, params.org),
    comparesIn: 'control',
    handle: async ({ workplace, params, body }) => {
      await setOrganization(workplace, params.org, readOrgFields(body.settings), { createOwner: body.createOwner });
      return show(workplace, params.org);
    },
  }),
  route({
    method: 'DELETE',
    path: '/orgs/{org}',
    summary:
      'Remove an organization with its users, files, keys and runs; "confirm" repeats its id. The audit trail is kept. Repeat it if it was interrupted',
    right: 'admin',
    isOfServer: true,
    params: orgParams,
    query: z.strictObject({ confirm: z.string().max(64).optional() }),
    answer: z.strictObject({
      files: count,
      bytes: count,
      users: count,
      teams: count,
      /** false: the files of the databases still have deleted values, until the server has stopped. */
      isErased: z.boolean(),
    }),
    current: ({ workplace, params }) => show(workplace, params.org),
    comparesIn: 'control',
    handle: async ({ workplace, params, query }) => {
      const { id } = await workplace.org(params.org);
      if (query.confirm !== id)
        throw new OperationError('usage', `to remove ${id} for good, repeat its id: ?confirm=${id}`);
      const { files, bytes, users, teams, isErased } = await removeOrganization(workplace, id);
      return { files, bytes, users, teams, isErased };
    },
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/request-sftp',
    summary: 'Record that an admin of an organization requested SFTP access',
    right: 'admin',
    isOfServer: true,
    params: orgParams,
    body: z.strictObject({ by: z.string().min(1).max(320) }),
    answer: org,
    current: ({ workplace, params }) => show(workplace, params.org),
    comparesIn: 'control',
    handle: async ({ workplace, params, body }) => showOrg(await requestSftp(workplace, params.org, body.by)),
  }),
  ...(['enable', 'disable'] as const).map((verb) =>
    route({
      method: 'POST',
      path: `/orgs/{org}/${verb}`,
      summary: `${verb === 'enable' ? 'Enable' : 'Disable'} an organization's SFTP access and imports`,
      right: 'admin',
      isOfServer: true,
      params: orgParams,
      answer: org,
      current: ({ workplace, params }) => show(workplace, params.org),
      comparesIn: 'control',
      handle: async ({ workplace, params }) => {
        const change = verb === 'enable' ? enableOrganization : disableOrganization;
        return showOrg(await change(workplace, params.org));
      },
    }),
  ),
];
