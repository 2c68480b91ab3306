/** The HTTP API over a test's databases, asked without a network. */
import { openWorkplace } from '../../app/compose.js';
import { createSilentLogger } from '../../config/logger.js';
import { createDrops, type Drops } from '../../operations/drops/drops.js';
import { addOrganization } from '../../operations/orgs.js';
import { createSharedWork } from '../../operations/places.js';
import { listServerSettings } from '../../operations/settings.js';
import { addToken } from '../../operations/tokens.js';
import type { Workplace } from '../../operations/workplace.js';
import { createApi } from '../../web/api/api.js';
import { openFresh, type TestDatabases } from './databases.js';
import type { Scope } from './temporary.js';
import { workplaceOn } from './workplace.js';

export interface Asked {
  method?: string;
  token?: string | null;
  headers?: Record<string, string>;
  /** Sent as JSON; a string or bytes as they are. */
  body?: unknown;
  /** Sent in place of a body. */
  stream?: ReadableStream<Uint8Array>;
  address?: string;
  /** Default: that of the API. */
  base?: string;
}

/** A body that arrives after `work`, which is done when the request has begun to read it. */
export function lateBody(text: string, work: () => Promise<unknown>): ReadableStream<Uint8Array> {
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
    await work();
    controller.enqueue(Buffer.from(text));
    controller.close();
  };
  return new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 });
}

export interface Answered {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the tests check the schemas
  json: any;
}

export interface TestApi {
  place: Workplace;
  /** The time of its limits, in ms. */
  clock: { ms: number };
  drops: Drops;
  /** Names of the work that is under way. */
  busy: Set<string>;
  fetch(request: Request): Response | Promise<Response>;
  ask(path: string, asked?: Asked): Promise<Answered>;
  /** A new token. */
  token(scope: string, org?: string, expires?: string): Promise<{ id: string; secret: string }>;
}

/** With the organizations `acme` and `other`. */
export async function openApi(
  t: Scope,
  open: (scope: Scope) => Promise<TestDatabases> = (scope) => openFresh(scope, 'sqlite'),
): Promise<TestApi> {
  const { settings } = await open(t);
  const place = await workplaceOn(t, settings);
  for (const id of ['acme', 'other'])
    await addOrganization(place, id, { ownerEmail: `owner@${id}.test`, plan: 'enterprise' }, true);
  const clock = { ms: 0 };
  const drops = createDrops(place, createSilentLogger());
  t.after(() => drops.close());
  const work = createSharedWork();
  const app = createApi({
    workplace: place,
    open: openWorkplace,
    drops,
    version: '0.0.0',
    settings: listServerSettings({ file: undefined, overrides: { data: settings.data } }),
    logger: createSilentLogger(),
    isSecure: false,
    clock: () => clock.ms,
    work,
  });
  return {
    place,
    clock,
    drops,
    busy: work.busy,
    fetch: app.fetch,
    ask: async (
      path,
      { method = 'GET', token = null, headers = {}, body, stream, address = '192.0.2.1', base = '/api/v1' } = {},
    ) => {
      const sent: Record<string, string> = { ...headers };
      if (token !== null) sent.authorization = `Bearer ${token}`;
      if (body !== undefined) sent['content-type'] ??= 'application/json';
      const isRaw = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
      const init: RequestInit & { duplex?: 'half' } = { method, headers: sent };
      if (body !== undefined) init.body = isRaw ? (body as string) : JSON.stringify(body);
      if (stream !== undefined) Object.assign(init, { body: stream, duplex: 'half' });
      const answer = await app.request(`${base}${path}`, init, { incoming: { socket: { remoteAddress: address } } });
      const got = await answer.text();
      const isJson = got !== '' && answer.headers.get('content-type')?.includes('json') === true;
      return { status: answer.status, headers: answer.headers, text: got, json: isJson ? JSON.parse(got) : null };
    },
    token: (scope, org, expires) => addToken(place, { name: 'test', scope, org, expires }),
  };
}
