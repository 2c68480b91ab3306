/** Routes of access tokens, of one organization and of all. */
import { z } from 'zod';
import { tokenToJson } from '../../../operations/forms/keys.js';
import {
  addToken,
  listAllTokens,
  revokeTokenById,
  showToken,
  type Token,
  tokenScopes,
} from '../../../operations/tokens.js';
import type { Workplace } from '../../../operations/workplace.js';
import { requireNoMore } from '../access.js';
import { maybeTime, orgParams, pageByPlace, pageOf, pageQuery, pick, time } from '../forms.js';
import { type Route, route } from '../route.js';

const token = z.strictObject({
  id: z.string(),
  name: z.string(),
  /** null: all organizations. */
  org: z.string().nullable(),
  scope: z.enum(tokenScopes),
  state: z.enum(['usable', 'expired', 'revoked']),
  createdBy: z.string(),
  createdAt: time,
  expiresAt: maybeTime,
  revokedAt: maybeTime,
  lastUsedAt: maybeTime,
  lastUsedFrom: z.string().nullable(),
});

/** null: in the answer to a repetition with the same Idempotency-Key. */
const withSecret = token.extend({ secret: z.string().nullable() });

const shared = { id: z.string().regex(/^tok_\w{1,40}$/, 'must be tok_… as lists show it') };

const body = z.strictObject({
  name: z.string().min(1).max(200),
  scope: z.enum(tokenScopes),
  /** A date, which is its last day, or a time. */
  expires: z.string().min(1).max(40).optional(),
});

type Asked = { workplace: Workplace; params: { org?: string; id: string } };

const show = (one: Token, { now }: Workplace) => pick(token, tokenToJson(one, now()));

/** undefined: the path names no organization. @throws OperationError `not_found` */
const ownOf = async (workplace: Workplace, params: { org?: string } | object) =>
  'org' in params && params.org !== undefined ? (await workplace.org(params.org)).id : undefined;

const current = async (call: Asked) =>
  show(await showToken(call.workplace, call.params.id, await ownOf(call.workplace, call.params)), call.workplace);

const routesAt = (prefix: string, isOfServer: boolean): Route[] => {
  const listParams = isOfServer ? z.strictObject({}) : orgParams;
  const params = isOfServer ? z.strictObject(shared) : orgParams.extend(shared);
  const isOf = { isOfServer, right: 'people' as const };
  const whose = isOfServer ? 'for all organizations' : 'for an organization';
  return [
    route({
      ...isOf,
      method: 'GET',
      path: `${prefix}/tokens`,
      summary: `The tokens ${isOfServer ? 'of all organizations and of the server' : 'of an organization'}, without their secrets`,
      params: listParams,
      query: pageQuery,
      answer: pageOf(token),
      handle: async ({ workplace, params: at, query }) => {
        const own = await ownOf(workplace, at);
        return pageByPlace(await listAllTokens(workplace, own), query, (one) => show(one, workplace));
      },
    }),
    route({
      ...isOf,
      method: 'POST',
      path: `${prefix}/tokens`,
      summary: `Add a token ${whose}, shown once; it has no more scope than the one that asks, and does not outlive it`,
      params: listParams,
      body,
      answer: withSecret,
      status: 201,
      handle: async ({ workplace, token: maker, params: at, body: { name, scope, expires } }) => {
        const org = await ownOf(workplace, at);
        requireNoMore(maker, scope);
        const { secret, ...added } = await addToken(workplace, { name, scope, org, expires, maker });
        return { ...show(added, workplace), secret };
      },
    }),
    route({
      ...isOf,
      method: 'GET',
      path: `${prefix}/tokens/{id}`,
      summary: 'One token, without its secret',
      params,
      answer: token,
      handle: current,
    }),
    route({
      ...isOf,
      method: 'DELETE',
      path: `${prefix}/tokens/{id}`,
      summary: 'Revoke a token: no further request with it is answered',
      params,
      answer: token,
      current,
      ...(!isOfServer && { comparesIn: 'control' as const }),
      handle: async ({ workplace, params: at }) =>
        show(await revokeTokenById(workplace, at.id, await ownOf(workplace, at)), workplace),
    }),
  ];
};

export const tokenRoutes: readonly Route[] = [...routesAt('/orgs/{org}', false), ...routesAt('', true)];
