/** Fuzzes the HTTP API from its own OpenAPI document, and SCIM with filters: malformed, huge, hostile and foreign requests. */

import type { ZodType } from 'zod';
import { noCounts } from '../../importer/counts.js';
import { problemCodes } from '../../web/api/problem.js';
import type { Route } from '../../web/api/route.js';
import { routes } from '../../web/api/table.js';
import { openApi, type TestApi } from '../support/api.js';
import { newKeyPair } from '../support/keys.js';
import type { Scope } from '../support/temporary.js';
import { Random } from './random.js';
import { Unexpected } from './script.js';

type Json = Record<string, unknown>;

interface Operation {
  route: Route;
  parameters: { name: string; in: 'path' | 'query' | 'header'; required?: boolean; schema: Json }[];
  /** By its media type; null: the request has no body. */
  body: { type: string; schema: Json } | null;
}

export interface ApiBench {
  api: TestApi;
  operations: Operation[];
  /** With the organization that each is for; null: all. */
  tokens: { secret: string; org: string | null }[];
  /** Values that exist, by the names of parameters. */
  known: Readonly<Record<string, readonly string[]>>;
}

/** They connect to other machines, or never end. */
const left = /\/(test|run|doctor)$/;

export async function openApiBench(scope: Scope): Promise<ApiBench> {
  const api = await openApi(scope);
  Object.assign(api.place.settings, { console: '127.0.0.1:8023' });
  const { json: openapi } = await api.ask('/openapi.json');
  const operations = routes
    .filter(({ path }) => !left.test(path))
    .map((route): Operation => {
      const described = openapi.paths[route.path][route.method.toLowerCase()];
      const [media] = Object.entries((described.requestBody?.content ?? {}) as Record<string, { schema: Json }>);
      const body = media === undefined ? null : { type: media[0], schema: media[1].schema };
      return { route, parameters: described.parameters, body };
    });
  const tokens = await Promise.all(
    [
      ...[1, 2, 3].map(() => ['owner', undefined]),
      ['owner', 'acme'],
      ['admin', undefined],
      ['admin', 'acme'],
      ['admin', 'acme'],
      ['operate', 'acme'],
      ['upload', 'acme'],
      ['scim', 'acme'],
      ['read', 'other'],
    ].map(async ([scopeOf, org]) => ({ ...(await api.token(scopeOf!, org)), org: org ?? null })),
  );
  return { api, operations, tokens, known: await fill(api, tokens[0]!.secret) };
}

/** An object of each kind in acme and in other. */
async function fill({ ask, place }: TestApi, secret: string): Promise<ApiBench['known']> {
  const ids: string[] = [];
  const keys: string[] = [];
  for (const org of ['acme', 'other']) {
    const post = async (path: string, body: object) =>
      (await ask(`/orgs/${org}${path}`, { method: 'POST', token: secret, body })).json;
    const { algorithm, publicKey } = newKeyPair().public;
    const added = await post('/keys', { keys: `${algorithm} ${publicKey}` });
    keys.push(added.keys[0].fingerprint);
    ids.push((await post('/webhooks', { url: 'https://hooks.example/' })).id);
    ids.push((await post('/exports', { toFolder: '/exports' })).id);
    ids.push(
      String((await post('/sources', { host: 'sftp.example', user: 'hr', path: '/', generateKey: true })).source),
    );
    ids.push((await post('/tokens', { name: 'hr', scope: 'read' })).id);
    await post('/people', { email: `hr@${org}.test`, role: 'viewer' });
    await post('/fields', { label: 'Office' });
    await post('/notifications', { address: 'ann@acme.test' });
    const team = { org_id: org, name: 'Sales', name_key: 'sales', created_at: 1, updated_at: 1 };
    await place.directory.write('teams').insert(team);
    for (const state of ['held', 'done', 'failed']) {
      const hold = state === 'held' ? JSON.stringify({ at: 1, today: '2026-01-01', digest: 'counted' }) : null;
      // A held run has a summary always.
      const summary = JSON.stringify({
        ...{ run: 1, org, kind: 'manual', state, hold: [], note: null, date: '2026-01-01', startedAt: 1 },
        ...{ timeZone: 'UTC', users: noCounts(), teams: noCounts(), files: [] },
      });
      const run = { org_id: org, kind: 'manual', slot_date: null, opened_at: 1, state, hold, summary };
      await place.control.write('runs').insert(run);
    }
  }
  const addresses = ['owner@acme.test', 'owner@other.test'];
  return {
    ...{
      id: ids,
      key: keys,
      run: ['1', '2', '3', '4', '5', '6'],
      email: addresses,
      team: ['Sales'],
      field: ['Office'],
    },
    ...{ alias: ['Vertrieb', 'Sales'], person: ['hr@acme.test', 'hr@other.test', 'root@op.test'] },
    ...{ name: ['users.csv', 'dry-run/users.csv'], address: ['ann@acme.test'], digest: ['counted'] },
  };
}

const texts = [
  ...[
    '',
    ' ',
    '..',
    '../..',
    '/',
    '/a/../b',
    '%',
    '%00',
    '\0',
    '\ud800',
    'é\u202e',
    "'; DROP TABLE orgs; --",
    '=1+1',
    '[]',
    '{}',
  ],
  ...[
    'null',
    'true',
    '-1',
    '0',
    '1',
    '9'.repeat(14),
    '1e400',
    'NaN',
    '2026-02-30',
    '2026-01-31T00:00:00Z',
    'x'.repeat(5_000),
    'version: 1\norganizations: {acme: {settings: {slot: "05:00"}}, new: {settings: {owner: o@new.test}}}',
  ],
  ...[
    'acme',
    'other',
    'nobody',
    'owner@acme.test',
    'owner@other.test',
    'users.csv',
    '/exports',
    'SHA256:AAAA',
    'sub_1',
    'evt_1',
  ],
];

/** @throws Unexpected */
export async function fuzzApi(bench: ApiBench, seed: number): Promise<void> {
  const random = new Random(seed);
  bench.api.clock.ms += 60_000;
  if (random.oneIn(5)) return fuzzScim(bench, random);
  const operation = random.pick(bench.operations);
  const { route } = operation;
  const token = random.pick(bench.tokens);
  const { path, org } = makePath(bench, random, operation);
  if (route === removal) await addDoomed(bench);
  const headers: Record<string, string> = { authorization: `Bearer ${token.secret}` };
  for (const { name, in: place, schema } of operation.parameters)
    if (place === 'header' && random.oneIn(12)) headers[name] = printable(String(makeValue(random, schema)));
  const body = confirmed(random, path, makeBody(random, operation));
  if (body !== undefined)
    headers['content-type'] ??= random.oneIn(10) ? 'text/plain' : (operation.body?.type ?? 'application/json');
  const said = `${route.method} ${path} ${JSON.stringify(headers).slice(0, 400)} ${String(body).slice(0, 400)}`;
  const answer = await send(bench, `/api/v1${path}`, {
    method: route.method,
    headers,
    ...(body !== undefined && { body }),
  });
  judge(answer, said, 'application/problem+json');
  const { status, text } = answer;
  if (status < 300 && org !== undefined && token.org !== null && org !== token.org)
    throw new Unexpected(`a token of ${token.org} reached ${org}: ${said}`);
  if (status >= 300) {
    if (status >= 400 && !problemCodes.includes(JSON.parse(text).code))
      throw new Unexpected(`no code: ${said}\n${text}`);
    return;
  }
  if (typeof route.answer === 'string') return;
  const read = (route.answer as ZodType).safeParse(JSON.parse(text));
  if (!read.success) throw new Unexpected(`the answer does not fit its schema: ${said}\n${text}\n${read.error}`);
}

interface Answer {
  status: number;
  type: string;
  text: string;
}

async function send({ api }: ApiBench, path: string, init: RequestInit): Promise<Answer> {
  const answer = await api.fetch(new Request(`http://localhost${path}`, init));
  const type = answer.headers.get('content-type') ?? '';
  // A run that waits has no end here.
  const isStream = type.startsWith('text/event-stream');
  if (isStream) await answer.body!.cancel();
  return { status: answer.status, type, text: isStream ? '' : await answer.text() };
}

/** `not implemented`, `unavailable` and `no room` are answers that a request can cause; a defect is none. */
const fairly: readonly number[] = [501, 503, 507];

function judge({ status, type, text }: Answer, said: string, problemType: string): void {
  if (status >= 500 && !fairly.includes(status)) throw new Unexpected(`status ${status}: ${said}\n${text}`);
  if (status >= 400 && !type.startsWith(problemType)) throw new Unexpected(`an error of the type ${type}: ${said}`);
}

const removal = routes.find(({ method, path }) => method === 'DELETE' && path === '/orgs/{org}')!;

/** The organization that may be removed: the others are needed to the end. */
async function addDoomed({ api, tokens }: ApiBench): Promise<void> {
  const body = { id: 'doomed', owner: 'owner@doomed.test', settings: {} };
  await api.ask('/orgs', { method: 'POST', token: tokens[0]!.secret, body });
  api.clock.ms += 1_000;
}

/** An erasure that repeats the address, as a rule. */
function confirmed(random: Random, path: string, body: string | undefined): string | undefined {
  const address = /\/users\/([^/]+)\/erase$/.exec(path)?.[1];
  if (address === undefined || body === undefined || !body.startsWith('{"') || random.oneIn(3)) return body;
  try {
    return JSON.stringify({ ...JSON.parse(body), confirm: decodeURIComponent(address), waitSeconds: 0 });
  } catch {
    return body;
  }
}

function makePath(
  { known }: ApiBench,
  random: Random,
  { route, parameters }: Operation,
): { path: string; org: string | undefined } {
  let org: string | undefined;
  const path = route.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const schema = parameters.find((one) => one.in === 'path' && one.name === name)!.schema;
    const orgs = route === removal ? ['doomed'] : ['acme', 'acme', 'other'];
    const usual = name === 'org' ? orgs : (known[name] ?? texts);
    const value = random.oneIn(6) && route !== removal ? String(makeValue(random, schema)) : random.pick(usual);
    if (name === 'org') org = value;
    return encode(value);
  });
  const query = parameters.flatMap(({ name, in: place, schema }) =>
    place === 'query' && random.oneIn(name === 'cursor' ? 8 : 3)
      ? [`${name}=${encode(String(makeValue(random, schema)))}`]
      : [],
  );
  if (random.oneIn(20)) query.push('more=1');
  if (route === removal && random.oneIn(2)) query.splice(0, query.length, 'confirm=doomed');
  return { path: query.length === 0 ? path : `${path}?${query.join('&')}`, org };
}

function makeBody(random: Random, { body, route }: Operation): string | undefined {
  if (body === null) return random.oneIn(10) && route.method !== 'GET' ? '{' : undefined;
  if (random.oneIn(12))
    return random.pick([
      '',
      '{',
      '[]',
      'null',
      '"x"',
      '['.repeat(5_000),
      `{"a":"${'x'.repeat(300_000)}"}`,
      '{"__proto__":{"a":1}}',
    ]);
  if (body.type !== 'application/json')
    return random.pick(['', 'User Email\nann@acme.test\n', '\0', 'x'.repeat(random.size(300_000))]);
  return JSON.stringify(makeValue(random, body.schema));
}

/** As the schema says, as a rule. */
function makeValue(random: Random, schema: Json): unknown {
  if (random.oneIn(12)) return random.pick<unknown>([...texts, null, true, -1, 1.5, [], {}, [[]]]);
  const choices = (schema.anyOf ?? schema.oneOf) as Json[] | undefined;
  if (choices !== undefined) return makeValue(random, random.pick(choices));
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return random.pick(schema.enum as unknown[]);
  const makers: Record<string, () => unknown> = {
    object: () => makeObject(random, schema),
    array: () => Array.from({ length: random.below(3) }, () => makeValue(random, (schema.items as Json) ?? {})),
    integer: () => random.pick([0, 1, 2, 100, 501]),
    number: () => random.pick([0, 0.5, 24]),
    boolean: () => random.oneIn(2),
    null: () => null,
    string: () => (schema.format === 'date-time' ? '2026-01-31T00:00:00Z' : random.pick(texts)),
  };
  return makers[String(schema.type)]?.() ?? random.pick(texts);
}

function makeObject(random: Random, { properties = {}, required = [], additionalProperties }: Json): Json {
  const made: Json = {};
  for (const [name, schema] of Object.entries(properties as Record<string, Json>))
    if (random.oneIn(2) || ((required as string[]).includes(name) && !random.oneIn(8)))
      made[name] = makeValue(random, schema);
  if (typeof additionalProperties === 'object' || random.oneIn(10))
    made[random.pick(['slot', 'name', 'User Name', ...texts])] = makeValue(
      random,
      (additionalProperties as Json) || {},
    );
  return made;
}

/** A lone surrogate has no UTF-8 form: it becomes a replacement character. */
function encode(text: string): string {
  const encoded = encodeURIComponent(Buffer.from(text, 'utf8').toString('utf8'));
  // An address with such a part is another address before it is sent (RFC 3986, section 5.2.4).
  return /^\.{1,2}$/.test(encoded) ? `${encoded}x` : encoded;
}

/** Headers have no others. */
function printable(text: string): string {
  return text.replace(/[^ -~]/g, '').trim();
}

const words = [
  ...[
    'userName',
    'active',
    'emails',
    'emails.value',
    'name.givenName',
    'id',
    'meta.lastModified',
    'groups.value',
    'members',
    'nothing',
  ],
  ...[
    'eq',
    'ne',
    'co',
    'gt',
    'pr',
    'and',
    'or',
    'not',
    '(',
    ')',
    '[',
    ']',
    '"acme"',
    '"2026-01-01T00:00:00Z"',
    'true',
    'null',
    '7',
    '"',
    '\\',
  ],
];

async function fuzzScim(bench: ApiBench, random: Random): Promise<void> {
  const token = random.pick(bench.tokens);
  const org = random.oneIn(6) ? random.pick(texts) : random.pick(['acme', 'other']);
  const filter = Array.from({ length: 1 + random.below(12) }, () => random.pick(words)).join(
    random.oneIn(4) ? '' : ' ',
  );
  const query = random.pick([
    `filter=${encodeURIComponent(filter)}`,
    `startIndex=${encode(random.pick(texts))}&count=${random.pick(['-1', '0', '1', '501', 'x'])}`,
    `attributes=${encode(random.pick([...words, ...texts]))}`,
    `excludedAttributes=${encode(random.pick([...words, ...texts]))}`,
  ]);
  const endpoint = random.pick([
    'Users',
    'Groups',
    'Users/1',
    'Groups/1',
    'Schemas',
    'Me',
    'Bulk',
    'Users/.search',
    '',
  ]);
  const path = `/scim/v2/${encode(org)}/${endpoint}?${query}`;
  const method = random.oneIn(6) ? random.pick(['POST', 'PUT', 'PATCH', 'DELETE']) : 'GET';
  const said = `${method} ${path}`;
  const answer = await send(bench, path, { method, headers: { authorization: `Bearer ${token.secret}` } });
  // The path may be none of SCIM's: an organization without a name.
  const isScim = answer.type.startsWith('application/scim+json');
  judge(answer, said, isScim ? 'application/scim+json' : 'application/problem+json');
  if (answer.status < 300 && token.org !== null && org !== token.org)
    throw new Unexpected(`a token of ${token.org} reached ${org}: ${said}`);
}
