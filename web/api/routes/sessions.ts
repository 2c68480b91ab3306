/** Routes of the open SFTP sessions of all server processes: list them, and end some. */
import { z } from 'zod';
import { OperationError } from '../../../operations/error.js';
import { endedToJson, sessionToJson } from '../../../operations/forms/sessions.js';
import { endSessions, listOpenSessions } from '../../../operations/sessions.js';
import { count, orgParams, pageByPlace, pageOf, pageQuery, pick, time } from '../forms.js';
import { type Route, route } from '../route.js';

const maybeText = z.string().nullable();

const session = z.strictObject({
  session: z.string(),
  org: z.string(),
  /** null: an sshd did not say which key. */
  keyFingerprint: maybeText,
  address: maybeText,
  client: z.string(),
  server: z.string(),
  startedAt: time,
  filesReceived: count,
  filesSent: count,
  bytesReceived: count,
  bytesSent: count,
  /** Of the files that it transfers now. */
  transfer: z.strictObject({ files: count, bytes: count, bytesPerSecond: z.number() }),
  isEnding: z.boolean(),
});

/** `waiting`: their server has not ended them within some seconds. */
const ended = z.strictObject({ ended: z.array(z.string()), waiting: z.array(z.string()) });

const sessions = z.array(z.string().min(1).max(100)).min(1).max(1_000);
const show = (one: Parameters<typeof sessionToJson>[0]) => pick(session, sessionToJson(one));

export const sessionRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/sessions',
    summary: 'Open SFTP sessions of all organizations, the oldest first',
    right: 'read',
    isOfServer: true,
    query: pageQuery,
    answer: pageOf(session),
    handle: async ({ workplace, query }) => pageByPlace(await listOpenSessions(workplace), query, show),
  }),
  route({
    method: 'POST',
    path: '/sessions/end',
    summary: 'End sessions; their uploads in progress publish nothing, and their keys may log in again',
    right: 'operate',
    isOfServer: true,
    body: z.strictObject({ sessions }),
    answer: ended,
    handle: async ({ workplace, body }) => endedToJson(await endSessions(workplace, { ids: body.sessions })),
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/sessions',
    summary: 'Open SFTP sessions of an organization, the oldest first',
    right: 'read',
    params: orgParams,
    query: pageQuery,
    answer: pageOf(session),
    handle: async ({ workplace, params, query }) =>
      pageByPlace(await listOpenSessions(workplace, params.org), query, show),
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/sessions/end',
    summary: 'End sessions of an organization; null: all of them',
    right: 'operate',
    params: orgParams,
    body: z.strictObject({ sessions: sessions.nullable() }),
    answer: ended,
    handle: async ({ workplace, params: { org }, body }) => {
      const own = await listOpenSessions(workplace, org);
      const missing = body.sessions?.find((id) => !own.some((one) => one.id === id));
      if (missing !== undefined) throw new OperationError('not_found', `${org} has no open session "${missing}"`);
      const choice = body.sessions === null ? { org } : { ids: body.sessions };
      return endedToJson(await endSessions(workplace, choice));
    },
  }),
];
