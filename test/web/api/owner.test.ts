/** Requests of the scope `owner`: tokens that make tokens, people of the console, and the file of `dropslot apply`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listAudit } from '../../../db/control/audit.js';
import { inviteAccount, listPeople } from '../../../operations/accounts/people.js';
import { addHook } from '../../../operations/hooks.js';
import { addToken, listAllTokens, revokeTokenById } from '../../../operations/tokens.js';
import { lateBody, openApi, type TestApi } from '../../support/api.js';
import { onBothDatabases } from '../../support/databases.js';
import { openMailbox } from '../../support/mailbox.js';

const post = ({ ask }: TestApi, token: string, path: string, body: unknown) =>
  ask(path, { method: 'POST', token, body });

onBothDatabases('requests of owners', (openDatabases) => {
  test('a token makes none that may do more than itself, outlives it, or is of another organization', async (t) => {
    const api = await openApi(t, openDatabases);
    const { place, ask, token } = api;
    const ofAcme = await token('owner', 'acme', '2999-06-30T12:00Z');
    const add = (path: string, expires?: string) =>
      post(api, ofAcme.secret, path, { name: 'hr', scope: 'owner', ...(expires !== undefined && { expires }) });
    const end = '2999-06-30T12:00:00.000Z';
    const first = await add('/orgs/acme/tokens');
    assert.deepEqual(
      [first.status, first.json.expiresAt, first.json.org, first.json.createdBy],
      [201, end, 'acme', `token:${ofAcme.id}`],
    );
    assert.equal((await add('/orgs/acme/tokens', '2999-06-29')).json.expiresAt, '2999-06-30T00:00:00.000Z');
    const late = await add('/orgs/acme/tokens', '2999-07-01');
    assert.deepEqual([late.status, late.json.detail.includes(end)], [409, true]);
    assert.equal((await add('/orgs/other/tokens')).status, 404);
    assert.equal((await add('/tokens')).status, 403);
    // One that it made makes none that outlives it either, and is of the organization alone.
    const child = await post(api, first.json.secret, '/orgs/acme/tokens', { name: 'x', scope: 'read' });
    assert.equal(child.json.expiresAt, end);
    assert.equal((await ask('/orgs/other', { token: child.json.secret })).status, 404);

    const ofOther = await token('read', 'other');
    const everyone = await token('read');
    const ids = (await ask('/orgs/acme/tokens', { token: ofAcme.secret })).json.items.map(
      ({ id }: { id: string }) => id,
    );
    assert.equal(ids.length, 4);
    for (const id of [ofOther.id, everyone.id]) {
      assert.ok(!ids.includes(id));
      for (const method of ['GET', 'DELETE'])
        assert.equal((await ask(`/orgs/acme/tokens/${id}`, { method, token: ofAcme.secret })).status, 404);
    }
    // Admins of before are no owners.
    const admin = await token('admin');
    for (const path of ['/tokens', '/orgs/acme/tokens', '/people', '/providers'])
      assert.equal((await ask(path, { token: admin.secret })).status, 403, path);
    const actors = (await listAudit(place.control.read, 'acme')).filter(({ action }) => action === 'token.added');
    assert.equal(actors.at(-1)!.actor, `token:${first.json.id}`);
  });

  test('a revoked token makes none, a revoked token of its own ends, and If-Match names the state', async (t) => {
    const api = await openApi(t, openDatabases);
    const { place, ask, token } = api;
    const { id, secret } = await token('owner');
    const made = (await post(api, secret, '/orgs/acme/tokens', { name: 'hr', scope: 'read' })).json;
    const path = `/orgs/acme/tokens/${made.id}`;
    const { headers } = await ask(path, { token: secret });
    assert.equal((await ask('/orgs/acme', { token: made.secret })).status, 200);
    const remove = (etag: string) => ask(path, { method: 'DELETE', token: secret, headers: { 'if-match': etag } });
    // It was used since.
    assert.equal((await remove(headers.get('etag')!)).status, 412);
    const now = (await ask(path, { token: secret })).headers.get('etag')!;
    assert.equal((await remove(now)).json.state, 'revoked');
    assert.equal((await ask('/orgs/acme', { token: made.secret })).status, 401);

    const body = JSON.stringify({ name: 'late', scope: 'owner' });
    const stream = lateBody(body, () => revokeTokenById(place, id));
    const json = { 'content-type': 'application/json' };
    const late = await ask('/tokens', { method: 'POST', token: secret, headers: json, stream });
    assert.equal(late.status, 401);
    const maker = (await listAllTokens(place)).find((one) => one.id === id)!;
    await assert.rejects(addToken(place, { name: 'late', scope: 'read', maker }), { code: 'refused' });
    assert.ok(!(await listAllTokens(place)).some(({ name }) => name === 'late'));
  });

  test('an organization leaves room for the tokens of others', async (t) => {
    const api = await openApi(t, openDatabases);
    const { place, token } = api;
    const { secret } = await token('owner', 'acme');
    const row = { org_id: 'acme', name: 'x', scope: 'read', created_by: 'test', created_at: 1 };
    await place.control
      .write('api_tokens')
      .insert(Array.from({ length: 98 }, (_, n) => ({ ...row, id: `tok_${n}`, hash: `${n}` })));
    const add = (path: string, by: string) => post(api, by, path, { name: 'x', scope: 'read' });
    assert.equal((await add('/orgs/acme/tokens', secret)).status, 201);
    assert.equal((await add('/orgs/acme/tokens', secret)).status, 409);
    assert.equal((await add('/orgs/other/tokens', (await token('owner', 'other')).secret)).status, 201);
    assert.equal((await add('/orgs/acme/tokens', (await token('owner')).secret)).status, 201);
  });

  test('people are invited, changed and removed within the organization of the token', async (t) => {
    const api = await openApi(t, openDatabases);
    const { place, ask, token } = api;
    const { secret } = await token('owner', 'acme');
    const all = await token('owner');
    const invite = (path: string, email: string, role: string, by = secret) => post(api, by, path, { email, role });
    assert.match((await invite('/orgs/acme/people', 'ann@acme.test', 'admin')).json.detail, /the console is off/);
    Object.assign(place.settings, { console: '127.0.0.1:8023', consoleUrl: 'https://hr.example' });
    const ann = await invite('/orgs/acme/people', 'ann@acme.test', 'admin');
    assert.match(ann.json.link, /^https:\/\/hr\.example\/invitation\/\S{43}$/);
    await inviteAccount(place, { email: 'root@op.test', role: 'owner' });
    await inviteAccount(place, { email: 'hr@other.test', role: 'admin', org: 'other' });
    assert.equal((await invite('/orgs/acme/people', 'eve@acme.test', 'owner')).status, 400);
    assert.equal((await invite('/people', 'eve@acme.test', 'owner')).status, 403);
    // As for an address of nobody, but that it has an account.
    assert.equal((await invite('/orgs/acme/people', 'hr@other.test', 'admin')).status, 409);
    const list = async (path: string, by: string) =>
      (await ask(path, { token: by })).json.items.map(({ email }: { email: string }) => email);
    assert.deepEqual(await list('/orgs/acme/people', secret), ['ann@acme.test']);
    assert.deepEqual(await list('/people', all.secret), ['ann@acme.test', 'hr@other.test', 'root@op.test']);
    for (const email of ['hr@other.test', 'root@op.test'])
      for (const [method, body] of [['GET'], ['DELETE'], ['PATCH', { role: 'viewer' }]] as const) {
        const { status } = await ask(`/orgs/acme/people/${email}`, { method, token: secret, body });
        assert.equal(status, 404, `${method} ${email}`);
      }
    const at = '/orgs/acme/people/ANN@acme.test';
    const etag = (await ask(at, { token: secret })).headers.get('etag')!;
    const change = () =>
      ask(at, { method: 'PATCH', token: secret, body: { role: 'viewer' }, headers: { 'if-match': etag } });
    assert.deepEqual([(await change()).json.role, (await change()).status], ['viewer', 412]);
    assert.equal((await ask(at, { method: 'DELETE', token: secret })).status, 200);
    assert.deepEqual(await listPeople(place, 'acme'), []);
    const trail = (await listAudit(place.control.read, 'acme')).filter(({ subject }) => subject === 'ann@acme.test');
    assert.deepEqual(
      trail.map(({ action, actor }) => [action, actor.slice(0, 10)]),
      ['invited', 'changed', 'removed'].map((verb) => [`account.${verb}`, 'token:tok_']),
    );
  });

  test('the file of apply: a dry run changes nothing, secrets come once, hooks are neither shown nor touched', async (t) => {
    const api = await openApi(t, openDatabases);
    const { place, ask, token } = api;
    const { secret } = await token('owner');
    await addHook(place, { run: '/bin/sh', args: ['-c', 'true'], types: '*' });
    const { yaml } = (await ask('/setup', { token: secret })).json;
    assert.doesNotMatch(yaml, /^hooks:|bin\/sh/m);
    assert.match(yaml, /^ {2}other:$/m);
    const wanted =
      'version: 1\norganizations:\n  acme:\n    settings: { slot: "05:00" }\nwebhooks:\n  - { url: "https://hooks.example/" }\n';
    const send = (body: object, headers = {}) => ask('/setup', { method: 'POST', token: secret, body, headers });
    const dry = await send({ yaml: wanted, dryRun: true });
    assert.deepEqual(
      [dry.json.applied, dry.json.changes.length, dry.json.unnamed, dry.json.notes],
      [false, 2, ['other'], []],
    );
    assert.notEqual((await place.org('acme')).slot, '05:00');
    const once = { 'idempotency-key': 'apply' };
    const applied = await send({ yaml: wanted }, once);
    assert.match(applied.json.notes.join(), /whsec_/);
    assert.equal((await place.org('acme')).slot, '05:00');
    assert.equal((await send({ yaml: wanted }, once)).json.notes, null);
    const stored = JSON.stringify(await place.control.read('api_requests').select('*'));
    assert.ok(!stored.includes('whsec_'));
    const less = wanted.slice(0, wanted.indexOf('webhooks')).concat('webhooks: []\n');
    assert.deepEqual(
      (await send({ yaml: less, prune: true })).json.changes.map(({ kind }: { kind: string }) => kind),
      ['remove'],
    );
    for (const hooks of ['[]', '[{ run: /bin/sh }]'])
      assert.equal((await send({ yaml: `version: 1\nhooks: ${hooks}\n`, prune: true })).status, 409);
    assert.equal((await ask('/hooks', { token: secret })).json.items.length, 1);
    assert.match((await send({ yaml: 'version: 2' })).json.detail, /version: 1/);
    const admin = await token('admin');
    assert.equal((await post(api, admin.secret, '/setup', { yaml: 'version: 1', dryRun: true })).status, 403);
  });

  test('an export by mail is sent to an active admin of the organization, and there is a bound', async (t) => {
    const { mails, settings } = await openMailbox(t);
    const api = await openApi(t, openDatabases);
    const { place, token } = api;
    Object.assign(place.settings, settings);
    const { secret } = await token('operate', 'acme');
    const send = (to: string) => post(api, secret, '/orgs/acme/exports/users/mail', { to, active: true });
    const sent = await send('owner@acme.test');
    assert.deepEqual([sent.status, sent.json.to, mails.length], [201, 'owner@acme.test', 1]);
    assert.match(sent.json.path, /^\/exports\/by-mail\/users-/);
    assert.equal((await send('owner@other.test')).status, 409);
    assert.equal(
      (await post(api, (await token('read', 'acme')).secret, '/orgs/acme/exports/users/mail', { to: 'x' })).status,
      403,
    );
    const entries = () => place.control.write('entries');
    const { id: _id, ...row } = await entries().where({ dir: '/exports/by-mail' }).first();
    await entries().insert(Array.from({ length: 49 }, (_, n) => ({ ...row, name: `users-${n}.csv` })));
    assert.match((await send('owner@acme.test')).json.detail, /50 exports/);
  });
});
