/** Routes of login keys: list, show, add, revoke. */
import { z } from 'zod';
import { keyToJson } from '../../../operations/forms/keys.js';
import { addKeys, type LoginKeyView, listKeys, revokeKey, showKey } from '../../../operations/loginkeys.js';
import type { Workplace } from '../../../operations/workplace.js';
import { maybeTime, orgParams, pageByPlace, pageOf, pageQuery, pick, time } from '../forms.js';
import { type Route, route } from '../route.js';

const key = z.strictObject({
  fingerprint: z.string(),
  kind: z.string(),
  algorithm: z.string(),
  publicKey: z.string(),
  label: z.string(),
  note: z.string(),
  state: z.string(),
  permission: z.string(),
  sources: z.array(z.string()),
  managedBy: z.string().nullable(),
  replacedBy: z.string().nullable(),
  createdAt: time,
  notBefore: maybeTime,
  expiresAt: maybeTime,
  revokedAt: maybeTime,
  lastUsedAt: maybeTime,
  lastUsedFrom: z.string().nullable(),
  lastUsedClient: z.string().nullable(),
});

/** A fingerprint, `SHA256:…`, or its beginning. */
const keyParams = orgParams.extend({ key: z.string().min(1).max(100) });

function showOne(one: LoginKeyView): unknown {
  return pick(key, keyToJson(one));
}

async function show(workplace: Workplace, org: string, prefix: string): Promise<unknown> {
  return showOne(await showKey(workplace, org, prefix));
}

export const keyRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/orgs/{org}/keys',
    summary: 'Login keys of an organization',
    right: 'read',
    params: orgParams,
    query: pageQuery,
    answer: pageOf(key),
    handle: async ({ workplace, params, query }) =>
      pageByPlace((await listKeys(workplace, params.org)).keys, query, showOne),
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/keys',
    summary: 'Add the public keys of a text, all or none',
    right: 'admin',
    params: orgParams,
    body: z.strictObject({
      keys: z.string().min(1).max(64_000),
      label: z.string().max(200).optional(),
      expiresAt: time.optional(),
    }),
    answer: z.strictObject({ keys: z.array(key) }),
    status: 201,
    handle: async ({ workplace, params: { org }, body }) => {
      const terms = {
        ...(body.label !== undefined && { label: body.label }),
        ...(body.expiresAt !== undefined && { expiresAt: Date.parse(body.expiresAt) }),
      };
      const added = await addKeys(workplace, org, body.keys, terms);
      return { keys: await Promise.all(added.map(({ fingerprint }) => show(workplace, org, fingerprint))) };
    },
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/keys/{key}',
    summary: 'A login key',
    right: 'read',
    params: keyParams,
    answer: key,
    handle: ({ workplace, params }) => show(workplace, params.org, params.key),
  }),
  route({
    method: 'DELETE',
    path: '/orgs/{org}/keys/{key}',
    summary: 'Revoke a login key, and end its sessions',
    right: 'admin',
    params: keyParams,
    answer: key,
    current: ({ workplace, params }) => show(workplace, params.org, params.key),
    handle: async ({ workplace, params: { org, key: prefix } }) => {
      await workplace.org(org);
      return showOne(await revokeKey(workplace, org, prefix));
    },
  }),
];
