/** Every route as a stranger: with a token of another organization, and with ids of objects of another organization. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routes } from '../../../web/api/table.js';
import { openApi, type TestApi } from '../../support/api.js';
import { newKeyPair } from '../../support/keys.js';

type Json = Record<string, unknown>;

/** The least value that a schema of the OpenAPI document accepts. */
function sampleOf(schema: Json): unknown {
  const choices = (schema.anyOf ?? schema.oneOf) as Json[] | undefined;
  if (choices !== undefined) return sampleOf(choices[0]!);
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return (schema.enum as unknown[])[0];
  if (schema.type === 'string') return schema.format === 'date-time' ? '2026-01-31T00:00:00Z' : 'x';
  if (schema.type === 'array') return schema.minItems === undefined ? [] : [sampleOf(schema.items as Json)];
  if (schema.type === 'object') {
    const { properties = {}, required = [] } = schema as { properties?: Record<string, Json>; required?: string[] };
    return Object.fromEntries(required.map((name) => [name, sampleOf(properties[name]!)]));
  }
  return schema.type === 'boolean' ? false : (schema.minimum ?? 1);
}

/** Where the least body would be refused before the organization is looked for. */
const bodies: Readonly<Record<string, unknown>> = {
  'PATCH /orgs/{org}/users/{email}': { set: { 'User Name': 'x' } },
  'POST /orgs/{org}/webhooks': { url: 'https://hooks.example/' },
  'PATCH /orgs/{org}/keys/{key}': { label: 'x' },
  'POST /orgs/{org}/people': { email: 'ann@acme.test', role: 'viewer' },
  'PATCH /orgs/{org}/teams/{team}': { set: { 'Team Type': 'x' } },
};

/** Objects of the organization `other`, by the names of parameters; the ids of one kind are not those of another. */
async function makeObjects({ ask, place }: TestApi, token: string) {
  const post = async (path: string, body: object) => {
    const { json, status, text } = await ask(`/orgs/other${path}`, { method: 'POST', token, body });
    assert.equal(status, 201, text);
    return json;
  };
  const { algorithm, publicKey, fingerprint } = newKeyPair().public;
  await post('/keys', { keys: `${algorithm} ${publicKey}` });
  const webhook = (await post('/webhooks', { url: 'https://hooks.example/' })).id;
  const flow = (await post('/exports', { toFolder: '/exports' })).id;
  const source = { host: 'sftp.example', user: 'hr', path: '/', generateKey: true };
  const { source: number } = await post('/sources', source);
  await post('/fields', { label: 'Office' });
  const team = { org_id: 'other', name: 'Sales', name_key: 'sales', created_at: 1, updated_at: 1 };
  await place.directory.write('teams').insert(team);
  const hold = JSON.stringify({ at: 1, today: '2026-01-01', digest: 'x' });
  const row = { org_id: 'other', kind: 'manual', slot_date: null, opened_at: 1, state: 'held', hold };
  const [{ id: run }] = await place.control.write('runs').insert(row).returning('id');
  const { id: made } = await post('/tokens', { name: 'hr', scope: 'read' });
  await post('/people', { email: 'hr@other.test', role: 'viewer' });
  const ids: Record<string, string> = { webhooks: webhook, exports: flow, sources: String(number), tokens: made };
  return (path: string, name: string): string => {
    const known: Record<string, string> = {
      key: fingerprint,
      run: String(run),
      email: 'owner@other.test',
      person: 'hr@other.test',
      team: 'Sales',
      receipt: '0123456789abcdef',
    };
    if (name === 'id') return ids[path.split('/')[3]!] ?? '1';
    return known[name] ?? { field: 'Office', name: 'users.csv', address: 'ann@other.test' }[name] ?? 'x';
  };
}

test('no route tells a stranger whether an organization or one of its objects exists', async (t) => {
  const api = await openApi(t);
  const all = await api.token('owner');
  const acme = await api.token('owner', 'acme');
  Object.assign(api.place.settings, { console: '127.0.0.1:8023' });
  const pickValue = await makeObjects(api, all.secret);
  const { json: openapi } = await api.ask('/openapi.json');
  let walked = 0;
  let byId = 0;
  for (const route of routes) {
    if (route.isOfServer || !route.path.startsWith('/orgs/{org}')) continue;
    const name = `${route.method} ${route.path}`;
    const content = openapi.paths[route.path][route.method.toLowerCase()].requestBody?.content ?? {};
    const [type, media] = (Object.entries(content)[0] ?? [null, null]) as [string | null, { schema: Json } | null];
    const isJson = type === 'application/json';
    const body = media === null ? undefined : isJson ? (bodies[name] ?? sampleOf(media.schema)) : 'User Email\n';
    const ask = (org: string) => {
      const path = route.path.replace(/\{(\w+)\}/g, (_, one: string) =>
        encodeURIComponent(one === 'org' ? org : pickValue(route.path, one)),
      );
      const query = route.path.endsWith('/files/content') ? '?path=/x' : '';
      api.clock.ms += 60_000;
      const headers: Record<string, string> = type === null ? {} : { 'content-type': type };
      return api.ask(path + query, { method: route.method, token: acme.secret, headers, body });
    };
    const [foreign, missing] = [await ask('other'), await ask('nobody')];
    assert.deepEqual([foreign.status, missing.status], [404, 404], `${name}: ${foreign.text} ${missing.text}`);
    const plain = ({ json }: typeof foreign) => JSON.stringify({ ...json, requestId: '' });
    assert.equal(plain(foreign).replaceAll('other', 'nobody'), plain(missing).replaceAll('other', 'nobody'), name);
    walked++;
    if (!/\{(id|run|key|person)\}/.test(route.path)) continue;
    const own = await ask('acme');
    assert.equal(own.status, 404, `${name} with an id of another organization: ${own.text}`);
    byId++;
  }
  assert.ok(walked > 60 && byId > 30, `${walked} routes, ${byId} with an id`);
  // The objects are all still there: nothing was removed or changed by a stranger.
  for (const list of ['webhooks', 'exports', 'sources', 'keys', 'fields', 'tokens', 'people']) {
    const { json } = await api.ask(`/orgs/other/${list}`, { token: all.secret });
    assert.equal(json.items.length, 1, list);
    assert.ok(!['disabled', 'revoked'].includes(json.items[0].state), list);
  }
});
