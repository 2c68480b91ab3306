/** The SCIM endpoints of every organization (RFC 7644): read-only, under `/scim/v2/{org}`, with errors in SCIM's own form. */
import type { Hono } from 'hono';
import type { Logger } from '../../config/logger.js';
import { describeProvider, listResourceTypes, listSchemas } from '../../operations/scim/discovery.js';
import { ScimError } from '../../operations/scim/error.js';
import { type Endpoint, findScim, type ScimQuery, searchScim } from '../../operations/scim/scim.js';
import type { Token } from '../../operations/tokens.js';
import { noOrganization, type Workplace } from '../../operations/workplace.js';
import { workplaceFor } from '../api/access.js';
import { type Ctx, type Env, type Gate, requireUsable } from '../api/gate.js';
import { ApiError, describeTrouble } from '../api/problem.js';
import { answerScim, answerScimError, listAnswer } from './answer.js';
import { readQuery, readSearchRequest } from './query.js';

export interface ScimDeps {
  workplace: Workplace;
  gate: Gate;
  /** Names of the work that this process bounds. */
  busy: Set<string>;
  logger: Logger;
}

const root = '/scim/v2/:org';
const endpoints: readonly Endpoint[] = ['Users', 'Groups'];
const writing = ['POST', 'PUT', 'PATCH', 'DELETE'];

interface Asked {
  workplace: Workplace;
  token: Token;
  org: string;
  /** URI of the organization's resources, without a slash at its end. */
  base: string;
}

type Handler = (c: Ctx, asked: Asked) => Promise<Response>;

export function addScim(app: Hono<Env>, { workplace, gate, busy, logger }: ScimDeps): void {
  const on = (methods: readonly string[], path: string, handler: Handler) =>
    app.on([...methods], [root + path], async (c) => {
      try {
        const token = await gate(c, { right: 'scim', isOfServer: false });
        const own = workplaceFor(workplace, token);
        const wanted = c.req.param('org') ?? '';
        // PostgreSQL takes no such character in a text.
        if (wanted.includes('\0')) throw noOrganization(wanted);
        const { id: org } = await own.org(wanted);
        const base = `${new URL(c.req.url).origin}/scim/v2/${encodeURIComponent(org)}`;
        return await handler(c, { workplace: own, token, org, base });
      } catch (error) {
        return answerTrouble(error, c, logger);
      }
    });
  const found = (c: Ctx, at: Asked, endpoint: Endpoint, query: ScimQuery) =>
    searchScim(at.workplace, { org: at.org, endpoint, base: at.base }, query, busy).then((page) =>
      answerScim(c, listAnswer(page)),
    );
  on(['GET'], '/ServiceProviderConfig', async (c, { base }) => answerScim(c, describeProvider(base)));
  for (const [path, list] of [
    ['/ResourceTypes', listResourceTypes],
    ['/Schemas', listSchemas],
  ] as const) {
    on(['GET'], path, async (c, { base }) => {
      // RFC 7644, section 4.
      if (c.req.query('filter') !== undefined) throw new ApiError('forbidden', 'the discovery takes no filter');
      const resources = list(base);
      return answerScim(c, listAnswer({ total: resources.length, startIndex: 1, resources }));
    });
    on(['GET'], `${path}/:id`, async (c, { base }) => {
      const one = list(base).find(({ id }) => id === c.req.param('id'));
      if (one === undefined) throw new ScimError(404, null, `there is none of this name; see ${path}`);
      return answerScim(c, one);
    });
  }
  for (const endpoint of endpoints) {
    on(['GET'], `/${endpoint}`, async (c, at) => found(c, at, endpoint, readQuery(c)));
    on(['POST'], `/${endpoint}/.search`, async (c, at) => {
      const query = await readSearchRequest(c);
      await requireUsable(at.workplace, at.token);
      return found(c, at, endpoint, query);
    });
    on(['GET'], `/${endpoint}/:id`, async (c, { workplace: own, org, base }) => {
      const resource = await findScim(own, { org, endpoint, base }, c.req.param('id') ?? '', readQuery(c));
      return answerScim(c, resource);
    });
  }
  const refuse: Handler = async () => {
    throw new ScimError(
      501,
      null,
      'users and groups are read through SCIM, not written: their changes come with HR files',
    );
  };
  for (const path of ['', '/', '/Bulk', '/Me', '/.search', ...endpoints.flatMap((one) => [`/${one}`, `/${one}/:id`])])
    on(writing, path, refuse);
  on(['GET'], '/Me', async () => {
    throw new ScimError(501, null, 'an access token belongs to no user: there is no /Me');
  });
  on(['GET'], '/*', async () => {
    throw new ScimError(
      404,
      null,
      'there is no such endpoint: Users, Groups, Schemas, ResourceTypes, ServiceProviderConfig',
    );
  });
  on(writing, '/*', refuse);
}

function answerTrouble(error: unknown, c: Ctx, logger: Logger): Response {
  if (error instanceof ScimError) {
    const wait: Record<string, string> = error.status === 429 ? { 'retry-after': '5' } : {};
    return answerScimError(error.status, error.message, error.scimType, wait);
  }
  const requestId = c.get('requestId');
  const { problem, stack } = describeTrouble(error, requestId);
  if (stack !== null)
    logger.error('a request failed by a defect', { requestId, reason: (error as Error).message, stack });
  const headers = error instanceof ApiError ? { ...error.headers } : {};
  return answerScimError(problem.status, problem.detail, null, headers);
}
