/** Routes of login keys: list, show, add, revoke. */
import { z } from 'zod';
import { listConnections, mostConnections } from '../../../operations/connections.js';
import { OperationError } from '../../../operations/error.js';
import { attemptToJson, keyToJson } from '../../../operations/forms/keys.js';
import { readGrace, readKeyChange, readTerms } from '../../../operations/keyterms.js';
import { rotateKeys } from '../../../operations/loginkeyrotation.js';
import { addKeys, type LoginKeyView, listKeys, revokeKey, setKey, showKey } from '../../../operations/loginkeys.js';
import type { Workplace } from '../../../operations/workplace.js';
import { maybeTime, orgParams, pageByPlace, pageOf, pageQuery, pick, time } from '../forms.js';
import { type Route, route } from '../route.js';

export const key = z.strictObject({
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
  addedBy: z.string().nullable(),
  replacedBy: z.string().nullable(),
  createdAt: time,
  notBefore: maybeTime,
  expiresAt: maybeTime,
  revokedAt: maybeTime,
  lastUsedAt: maybeTime,
  lastUsedFrom: z.string().nullable(),
  lastUsedClient: z.string().nullable(),
});

const term = z.string().max(500).optional();

/** As the options of `keys add` and `keys set` take them: `expires` a date or a time, `from` address ranges. */
export const terms = {
  label: term,
  note: term,
  notBefore: term,
  expires: term,
  from: term,
  permission: term,
  sha1: term,
  principals: term,
};

type TermTexts = { [name in keyof typeof terms]?: string | undefined };

export function definedOf(texts: TermTexts): { [name in keyof typeof terms]?: string } {
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== undefined));
}

/** A fingerprint, `SHA256:…`, or its beginning. */
const keyParams = orgParams.extend({ key: z.string().min(1).max(100) });

export function showOneKey(one: LoginKeyView): unknown {
  return pick(key, keyToJson(one));
}

async function show(workplace: Workplace, org: string, prefix: string): Promise<unknown> {
  return showOneKey(await showKey(workplace, org, prefix));
}

const attempt = z.strictObject({
  org: z.string(),
  at: time,
  accepted: z.boolean(),
  reason: z.string().nullable(),
  /** Of the key that was offered. */
  fingerprint: z.string(),
  /** The key or authority of the organization; null: it has none such. */
  key: z.string().nullable(),
  address: z.string().nullable(),
  client: z.string().nullable(),
});

export const keyRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/orgs/{org}/connections',
    summary: 'The last logins and refusals of each key, the newest first, with the reasons of refusals',
    right: 'read',
    params: orgParams,
    query: pageQuery,
    answer: pageOf(attempt),
    handle: async ({ workplace, params, query }) =>
      pageByPlace(await listConnections(workplace, params.org, mostConnections), query, attemptToJson),
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/keys',
    summary: 'Login keys of an organization',
    right: 'read',
    params: orgParams,
    query: pageQuery,
    answer: pageOf(key),
    handle: async ({ workplace, params, query }) =>
      pageByPlace((await listKeys(workplace, params.org)).keys, query, showOneKey),
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/keys',
    summary: 'Add the public keys of a text, all or none',
    right: 'admin',
    params: orgParams,
    body: z.strictObject({
      keys: z.string().min(1).max(64_000),
      ...terms,
      expiresAt: time.optional(),
      /** The keys are authorities, whose certificates log in. */
      authority: z.boolean().default(false),
    }),
    answer: z.strictObject({ keys: z.array(key) }),
    status: 201,
    handle: async ({ workplace, params: { org }, body: { keys, expiresAt, authority, ...texts } }) => {
      const { timeZone } = await workplace.org(org);
      const given = {
        ...readTerms(definedOf(texts), timeZone, workplace.now()),
        ...(expiresAt !== undefined && { expiresAt: Date.parse(expiresAt) }),
      };
      const added = await addKeys(workplace, org, keys, given, { isAuthority: authority });
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
    method: 'PATCH',
    path: '/orgs/{org}/keys/{key}',
    summary: 'Change the terms of a login key, as "dropslot keys set"; it holds for open sessions too',
    right: 'admin',
    params: keyParams,
    body: z.strictObject(terms),
    answer: key,
    current: ({ workplace, params }) => show(workplace, params.org, params.key),
    comparesIn: 'control',
    handle: async ({ workplace, params: { org, key: prefix }, body }) => {
      const { timeZone } = await workplace.org(org);
      const assignments = Object.entries(definedOf(body)).map(([name, text]) => `${name}=${text}`);
      if (assignments.length === 0) throw new OperationError('usage', 'name at least one term to change');
      return showOneKey(await setKey(workplace, org, prefix, readKeyChange(assignments, timeZone, workplace.now())));
    },
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/keys/rotate',
    summary: 'Add keys, and let the old ones expire after a time of grace',
    right: 'admin',
    params: orgParams,
    body: z.strictObject({
      keys: z.string().min(1).max(64_000),
      grace: z.string().max(20).default('7d'),
      /** Fingerprints of the old keys; empty: every other key. */
      replaces: z.array(z.string().min(1).max(100)).max(100).default([]),
      ...terms,
    }),
    answer: z.strictObject({ successor: z.string(), added: z.array(key), replaced: z.array(key), kept: z.array(key) }),
    handle: async ({ workplace, params: { org }, body: { keys, grace, replaces, ...texts } }) => {
      const { timeZone } = await workplace.org(org);
      const options = { graceMs: readGrace(grace), replaces, managed: false };
      const given = readTerms(definedOf(texts), timeZone, workplace.now());
      const { successor, added, replaced, kept } = await rotateKeys(workplace, org, keys, given, options);
      const shown = await Promise.all(added.map(({ fingerprint }) => show(workplace, org, fingerprint)));
      return { successor, added: shown, replaced: replaced.map(showOneKey), kept: kept.map(showOneKey) };
    },
  }),
  route({
    method: 'DELETE',
    path: '/orgs/{org}/keys/{key}',
    summary: 'Revoke a login key, and end its sessions',
    right: 'admin',
    params: keyParams,
    answer: key,
    current: ({ workplace, params }) => show(workplace, params.org, params.key),
    comparesIn: 'control',
    handle: async ({ workplace, params: { org, key: prefix } }) => {
      await workplace.org(org);
      return showOneKey(await revokeKey(workplace, org, prefix));
    },
  }),
];
