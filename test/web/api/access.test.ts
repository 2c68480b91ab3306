/** Who may ask the HTTP API: tokens, scopes, organizations, limits; and the form of its refusals. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listAudit } from '../../../db/control/audit.js';
import { revokeTokenById } from '../../../operations/tokens.js';
import { answerContent } from '../../../web/api/answer.js';
import { lateBody, openApi } from '../../support/api.js';

test('a request needs a usable token, and a revoked one ends at once', async (t) => {
  const { place, ask, token } = await openApi(t);
  const { id, secret } = await token('read');
  assert.equal((await ask('/orgs', { token: secret })).status, 200);
  await revokeTokenById(place, id);
  for (const wrong of [null, secret, `dst_${'A'.repeat(43)}`, 'x']) {
    const { status, headers, json } = await ask('/orgs', { token: wrong });
    assert.equal(status, 401);
    assert.match(headers.get('www-authenticate')!, /^Bearer/);
    assert.match(headers.get('content-type')!, /^application\/problem\+json/);
    assert.deepEqual([json.code, json.status, json.requestId], ['unauthorized', 401, headers.get('x-request-id')]);
  }
  for (const [method, path, status] of [
    ['GET', '/none', 404],
    ['PUT', '/status', 405],
  ] as const) {
    const { headers, json, status: answered } = await ask(path, { method });
    assert.deepEqual([answered, json.requestId], [status, headers.get('x-request-id')]);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
  }
});

test('a token that is revoked while the body of its request arrives does nothing', async (t) => {
  const { place, ask, token } = await openApi(t);
  const json = { 'content-type': 'application/json' };
  for (const [scope, base, path, body] of [
    ['admin', '/api/v1', '/orgs/acme', '{"settings":{"name":"Taken"}}'],
    ['scim', '/scim/v2', '/acme/Users/.search', '{}'],
  ] as const) {
    const method = scope === 'admin' ? 'PATCH' : 'POST';
    const wanted = { base, method, headers: json };
    const { id, secret } = await token(scope);
    const good = await ask(path, {
      ...wanted,
      token: secret,
      body: scope === 'admin' ? '{"settings":{"name":"Acme"}}' : body,
    });
    assert.equal(good.status, 200, good.text);
    const stream = lateBody(body, () => revokeTokenById(place, id));
    const late = await ask(path, { ...wanted, token: secret, stream });
    assert.equal(late.status, 401, late.text);
    assert.match(late.text, /neither revoked nor expired/);
  }
  assert.equal((await place.org('acme')).name, 'Acme');
});

test('an organization that a token is not for looks like one that does not exist', async (t) => {
  const { ask, token } = await openApi(t);
  const { secret } = await token('admin', 'acme');
  assert.deepEqual(
    (await ask('/orgs', { token: secret })).json.items.map(({ id }: { id: string }) => id),
    ['acme'],
  );
  const paths = ['', '/users', '/users/owner@other.test', '/runs', '/queue', '/files', '/keys', '/audit', '/events'];
  for (const path of paths) {
    const foreign = await ask(`/orgs/other${path}`, { token: secret });
    const missing = await ask(`/orgs/nobody${path}`, { token: secret });
    const common = ({ json: { requestId: _id, ...json } }: typeof foreign) => JSON.stringify(json);
    assert.equal(foreign.status, 404, path);
    assert.equal(common(foreign).replaceAll('other', 'nobody'), common(missing));
  }
  for (const path of ['/status', '/runs', '/queue', '/alarms', '/events', '/audit', '/audit/proof', '/doctor'])
    assert.equal((await ask(path, { token: secret })).status, 403, path);
});

test('a run of another organization does not exist for this one', async (t) => {
  const { ask, token } = await openApi(t);
  const all = await token('admin');
  const own = await token('operate', 'acme');
  const opened = await ask('/orgs/other/imports', { method: 'POST', token: all.secret });
  assert.equal(opened.status, 202);
  for (const path of ['', '/changes'])
    assert.equal((await ask(`/orgs/acme/runs/${opened.json.id}${path}`, { token: own.secret })).status, 404);
  const undo = await ask(`/orgs/acme/runs/${opened.json.id}/undo`, { method: 'POST', token: own.secret });
  assert.equal(undo.status, 404);
});

test('requests are limited for each token, and strangers for each address', async (t) => {
  const { place, clock, ask, token } = await openApi(t);
  const one = await token('read');
  const two = await token('read');
  const most = place.settings.apiRequestsPerMinute;
  for (let n = 0; n < most; n++) assert.equal((await ask('/orgs/none', { token: one.secret })).status, 404);
  const over = await ask('/orgs/none', { token: one.secret });
  assert.deepEqual([over.status, over.headers.get('retry-after'), over.json.code], [429, '1', 'too_many']);
  assert.equal((await ask('/orgs/none', { token: two.secret })).status, 404);
  clock.ms += 60_000 / most;
  assert.equal((await ask('/orgs/none', { token: one.secret })).status, 404);

  for (let n = 0; n < 60; n++) assert.equal((await ask('/orgs')).status, 401);
  assert.equal((await ask('/orgs')).status, 429);
  assert.equal((await ask('/orgs', { address: '192.0.2.2' })).status, 401);
  assert.equal((await ask('/orgs', { token: two.secret })).status, 200);
});

test('a wrong request is refused with the reason, and a body has a bound', async (t) => {
  const { ask, token } = await openApi(t);
  const { secret } = await token('admin');
  const add = (asked: object) => ask('/orgs', { method: 'POST', token: secret, ...asked });
  const whole = { id: 'new', owner: 'o@new.test', settings: {} };
  const wrong: [Promise<{ status: number; json: { code: string; detail: string } }>, number, RegExp][] = [
    [add({ body: '{' }), 400, /not valid JSON/],
    [add({ body: { ...whole, more: 1 } }), 400, /more/],
    [add({ body: { ...whole, settings: { slott: '1' } } }), 400, /did you mean slot/],
    [add({ body: { ...whole, id: 'a\0' } }), 400, /U\+0000/],
    [add({ body: whole, headers: { 'content-type': 'text/plain' } }), 415, /JSON/],
    [add({ body: { ...whole, id: 'x'.repeat(300_000) } }), 413, /262144/],
    [ask('/orgs?limit=0', { token: secret }), 400, /query\.limit/],
    [ask('/orgs?limit=1&limit=2', { token: secret }), 400, /twice/],
    [ask('/orgs?cursor=AAAA', { token: secret }), 400, /cursor/],
    [ask('/orgs', { method: 'DELETE', token: secret }), 405, /GET, POST/],
    [ask('/nothing', { token: secret }), 404, /no such path/],
    [add({ body: whole, headers: { 'if-match': '*' } }), 400, /If-Match/],
  ];
  for (const [answer, status, detail] of wrong) {
    const got = await answer;
    assert.equal(got.status, status, JSON.stringify(got.json));
    assert.match(got.json.detail, detail);
  }
});

test('a download can be read in pieces and cut off, and has no HEAD', async (t) => {
  const { ask, token } = await openApi(t);
  const { secret } = await token('read', 'acme');
  const { status, headers } = await ask('/orgs/acme/exports/users', { method: 'HEAD', token: secret });
  assert.deepEqual([status, headers.get('content-type')], [405, 'application/problem+json; charset=utf-8']);
  assert.equal((await ask('/orgs/acme', { method: 'HEAD', token: secret })).status, 200);
  const ended: string[] = [];
  const pieces = (async function* () {
    try {
      for (let n = 0; ; n++) yield `${n};`;
    } finally {
      ended.push('closed');
    }
  })();
  const answer = await answerContent({ content: pieces, fileName: 'a b.csv' }, 'text/csv');
  assert.match(answer.headers.get('content-disposition')!, /filename\*=UTF-8''a%20b\.csv$/);
  const reader = answer.body!.getReader();
  const read = async () => Buffer.from((await reader.read()).value!).toString('utf8');
  assert.deepEqual([await read(), await read()], ['0;', '1;']);
  await reader.cancel();
  assert.deepEqual(ended, ['closed']);
});

test('answers have headers that protect them, and no other origin may read them', async (t) => {
  const { ask, token } = await openApi(t);
  const { secret } = await token('read');
  const { headers } = await ask('/orgs', { token: secret, headers: { origin: 'https://evil.example' } });
  assert.equal(headers.get('x-content-type-options'), 'nosniff');
  assert.equal(headers.get('cache-control'), 'no-store');
  assert.match(headers.get('content-security-policy')!, /default-src 'none'/);
  assert.deepEqual(
    [...headers.keys()].filter((name) => name.startsWith('access-control-')),
    [],
  );
});

test('a change can name the state that it is for, and its actor is the token', async (t) => {
  const { place, ask, token } = await openApi(t);
  const { id, secret } = await token('admin');
  const before = await ask('/orgs/acme', { token: secret });
  const etag = before.headers.get('etag')!;
  const same = await ask('/orgs/acme', { token: secret, headers: { 'if-none-match': etag } });
  assert.deepEqual([same.status, same.text], [304, '']);
  const change = (slot: string) =>
    ask('/orgs/acme', {
      method: 'PATCH',
      token: secret,
      headers: { 'if-match': etag },
      body: { settings: { slot } },
    });
  const changed = await change('03:00');
  assert.deepEqual([changed.status, changed.json.slot], [200, '03:00']);
  const late = await change('04:00');
  assert.deepEqual([late.status, late.json.code], [412, 'changed']);
  assert.equal((await place.org('acme')).slot, '03:00');
  const records = await listAudit(place.control.read, 'acme');
  assert.ok(records.some(({ actor, action }) => actor === `token:${id}` && action === 'org.changed'));
});

test('a wrong body is told in words, and an organization needs an id and an owner alone', async (t) => {
  const { ask, token } = await openApi(t);
  const { secret } = await token('admin');
  const add = (body: object) =>
    ask('/orgs', {
      ...{ method: 'POST', token: secret, body: JSON.stringify(body) },
      headers: { 'content-type': 'application/json' },
    });
  assert.equal((await add({ id: 'north' })).json.detail, 'body.owner: is missing (type: string)');
  const wrong = await add({ id: 'north', owner: 7 });
  assert.equal(wrong.json.errors[0].message, 'must have the type string, not number');
  assert.equal((await add({ id: 'north', owner: 'li@north.test' })).status, 201);
});
