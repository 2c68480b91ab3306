/** Routes of the SFTP server's network side: penalties of addresses, and host keys. */
import { z } from 'zod';
import { hostKeyToJson, penaltyToJson } from '../../../operations/forms/server.js';
import {
  activateAnnounced,
  addHostKey,
  type HostKeyView,
  hostKeyTypes,
  listHostKeys,
  removeInactive,
  showHostKey,
} from '../../../operations/hostkeys.js';
import { forgivePenalties, listActivePenalties, readSource } from '../../../operations/penalties.js';
import type { Workplace } from '../../../operations/workplace.js';
import { count, pageByPlace, pageOf, pageQuery, pick, time } from '../forms.js';
import { type Route, route } from '../route.js';

const penalty = z.strictObject({
  source: z.string(),
  until: time,
  inARow: count,
  cause: z.string(),
  beganAt: time,
});

const hostKey = z.strictObject({
  type: z.string(),
  state: z.enum(['active', 'announced', 'retired']),
  fingerprint: z.string(),
  md5: z.string(),
  publicKey: z.string(),
  since: time,
});

const keyParams = z.strictObject({ key: z.string().min(1).max(100) });
const typeNames = Object.keys(hostKeyTypes) as [string, ...string[]];

const showKey = (key: HostKeyView) => pick(hostKey, hostKeyToJson(key));

/** @throws OperationError `not_found`, `usage` */
async function current({ workplace, params }: { workplace: Workplace; params: { key: string } }): Promise<unknown> {
  return showKey(await showHostKey(workplace, params.key));
}

export const networkRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/penalties',
    summary: 'Addresses that may not connect for now',
    right: 'read',
    isOfServer: true,
    query: pageQuery,
    answer: pageOf(penalty),
    handle: async ({ workplace, query }) => pageByPlace(await listActivePenalties(workplace), query, penaltyToJson),
  }),
  route({
    method: 'POST',
    path: '/penalties/forgive',
    summary: 'End the penalties of an address, or (null) of every address',
    right: 'operate',
    isOfServer: true,
    body: z.strictObject({ source: z.string().min(1).max(200).nullable() }),
    answer: z.strictObject({ source: z.string().nullable(), forgiven: count }),
    handle: async ({ workplace, body }) => {
      const source = body.source === null ? null : readSource(body.source);
      return { source, forgiven: await forgivePenalties(workplace, source) };
    },
  }),
  route({
    method: 'GET',
    path: '/hostkeys',
    summary: 'Host keys, by which clients recognize the server; public parts only',
    right: 'read',
    isOfServer: true,
    query: pageQuery,
    answer: pageOf(hostKey),
    handle: async ({ workplace, query }) => pageByPlace(await listHostKeys(workplace, null), query, showKey),
  }),
  route({
    method: 'POST',
    path: '/hostkeys',
    summary: 'Make a host key, and announce it to clients',
    right: 'admin',
    isOfServer: true,
    body: z.strictObject({ type: z.enum(typeNames) }),
    answer: hostKey,
    status: 201,
    handle: async ({ workplace, body }) => showKey(await addHostKey(workplace, { type: hostKeyTypes[body.type]! })),
  }),
  route({
    method: 'GET',
    path: '/hostkeys/{key}',
    summary: 'A host key',
    right: 'read',
    isOfServer: true,
    params: keyParams,
    answer: hostKey,
    handle: current,
  }),
  route({
    method: 'POST',
    path: '/hostkeys/{key}/activate',
    summary: 'Use an announced host key from the next connection on, and retire the active one of its type',
    right: 'admin',
    isOfServer: true,
    params: keyParams,
    answer: hostKey,
    current,
    handle: async ({ workplace, params }) => showKey(await activateAnnounced(workplace, params.key)),
  }),
  route({
    method: 'DELETE',
    path: '/hostkeys/{key}',
    summary: 'Remove an announced or retired host key',
    right: 'admin',
    isOfServer: true,
    params: keyParams,
    answer: hostKey,
    current,
    handle: async ({ workplace, params }) => showKey(await removeInactive(workplace, params.key)),
  }),
];
