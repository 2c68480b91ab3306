/** Every row of the table of routes: its answer fits its schema, each scope may use it or not, hostile requests are no defects. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ZodType } from 'zod';
import { recordAudit } from '../../../db/control/audit.js';
import { noteAttempt } from '../../../db/control/loginattempts.js';
import { removeSessionServer, writeSessions } from '../../../db/control/sessions.js';
import { insertOwner } from '../../../db/directory/users.js';
import { noCounts } from '../../../importer/counts.js';
import { addSubscriber, commandKind, handlerKind, mailKind } from '../../../operations/subscribers.js';
import { tokenScopes } from '../../../operations/tokens.js';
import { rights } from '../../../web/api/access.js';
import type { Route } from '../../../web/api/route.js';
import { routes } from '../../../web/api/table.js';
import { openApi } from '../../support/api.js';
import { newKeyPair } from '../../support/keys.js';
import { temporaryFolder } from '../../support/temporary.js';

const rightOf = (route: Route) => `${route.method} ${route.path}`;

const hold = JSON.stringify({ at: 1, today: '2026-01-01', digest: 'counted' });
const summary = {
  ...{ run: 1, org: 'acme', kind: 'manual', state: 'held', hold: [], note: null, date: '2026-01-01', startedAt: 1 },
  ...{ timeZone: 'Europe/Berlin', users: noCounts(), teams: noCounts(), files: [] },
};
const teamRow = { org_id: 'acme', name: 'Sales', name_key: 'sales', created_at: 1, updated_at: 1 };
const runRow = { org_id: 'acme', kind: 'manual', slot_date: null, opened_at: 1 };

test('every answer fits the schema of its route', async (t) => {
  const { place, ask, token } = await openApi(t);
  const { secret } = await token('owner');
  Object.assign(place.settings, { console: '127.0.0.1:8023' });
  const { algorithm, publicKey, fingerprint } = newKeyPair().public;
  const line = `${algorithm} ${publicKey}`;
  const key = encodeURIComponent(fingerprint);
  const write = place.control.write;
  const insert = async (state: string, org = 'acme') => {
    const row = {
      ...runRow,
      org_id: org,
      state,
      hold: state === 'held' ? hold : null,
      summary: JSON.stringify(summary),
    };
    return (await write('runs').insert(row).returning('id'))[0].id as number;
  };
  const done = new Set<string>();
  /** Asks a route, and checks its answer; a status from 400 on is an answer that the state explains. */
  const good = async (
    method: string,
    template: string,
    path = template,
    body?: unknown,
    status?: number,
    headers = {},
  ) => {
    const route = routes.find((one) => one.method === method && one.path === template)!;
    const answered = await ask(path.replace('{org}', 'acme'), { method, token: secret, body, headers });
    assert.equal(answered.status, status ?? route.status, `${method} ${path}: ${answered.text}`);
    if (answered.status < 400 && typeof route.answer !== 'string') {
      const read = (route.answer as ZodType).safeParse(answered.json);
      assert.ok(read.success, `${method} ${path}: ${read.error}`);
    }
    done.add(rightOf(route));
    return answered;
  };
  await good('GET', '/status');
  await good('GET', '/orgs');
  await good('POST', '/orgs', '/orgs', { id: 'new', owner: 'o@new.test', settings: { slot: '04:00' } });
  await good('GET', '/orgs/{org}');
  await good('PATCH', '/orgs/{org}', '/orgs/{org}', { settings: { name: 'Acme' } });
  await good('POST', '/orgs/{org}/request-sftp', '/orgs/{org}/request-sftp', { by: 'owner@acme.test' });
  await good('POST', '/orgs/{org}/disable');
  await good('POST', '/orgs/{org}/enable');
  const added = await good('POST', '/orgs/{org}/keys', '/orgs/{org}/keys', { keys: line, label: 'HR' });
  assert.equal(added.json.keys[0].fingerprint, fingerprint);
  assert.equal((await good('GET', '/orgs/{org}/keys')).json.items.length, 1);
  await good('GET', '/orgs/{org}/keys/{key}', `/orgs/{org}/keys/${key}`);
  const set = await good('PATCH', '/orgs/{org}/keys/{key}', `/orgs/{org}/keys/${key}`, {
    from: '192.0.2.0/24',
    label: 'HR 2',
  });
  assert.deepEqual([set.json.sources, set.json.label], [['192.0.2.0/24'], 'HR 2']);
  const next = newKeyPair().public;
  const keys = `${next.algorithm} ${next.publicKey}`;
  const rotated = await good('POST', '/orgs/{org}/keys/rotate', '/orgs/{org}/keys/rotate', { keys, grace: '1h' });
  assert.deepEqual([rotated.json.successor, rotated.json.replaced[0].fingerprint], [next.fingerprint, fingerprint]);
  assert.equal((await good('DELETE', '/orgs/{org}/keys/{key}', `/orgs/{org}/keys/${key}`)).json.state, 'revoked');
  const users = await good('GET', '/orgs/{org}/users');
  assert.deepEqual([users.json.items[0].email, users.json.next], ['owner@acme.test', null]);
  await good('GET', '/orgs/{org}/users/{email}', '/orgs/{org}/users/owner@acme.test');
  await good('GET', '/orgs/{org}/teams');
  await good('GET', '/orgs/{org}/teams/{team}', '/orgs/{org}/teams/none', undefined, 404);
  await good('GET', '/orgs/{org}/fields');
  const csv = await good('GET', '/orgs/{org}/exports/users');
  assert.match(csv.text, /^User Email,.*\nowner@acme\.test,/);
  assert.match(csv.headers.get('content-type')!, /^text\/csv/);
  const ofActive = '/orgs/{org}/exports/users?active=true&forSpreadsheet=true';
  assert.match((await good('GET', '/orgs/{org}/exports/users', ofActive)).text, /^\ufeff?User Email,.*\r?\nowner@acme/);
  assert.match((await good('GET', '/orgs/{org}/exports/teams')).text, /^Team Name,/);
  const drop = '/orgs/{org}/drops/{name}';
  const raw = { 'content-type': 'text/csv' };
  const dropped = await good('PUT', drop, '/orgs/{org}/drops/new.csv', 'User Email\n', 201, raw);
  assert.equal(dropped.json.queued, true);
  const half = { ...raw, 'content-range': `bytes 0-1048576/1048579` };
  await good('PUT', drop, '/orgs/{org}/drops/half.csv', 'x'.repeat(1_048_577), 202, half);
  assert.equal((await good('GET', drop, '/orgs/{org}/drops/half.csv')).json.offset, 1_048_577);
  assert.equal((await good('DELETE', drop, '/orgs/{org}/drops/half.csv')).json.discarded, 1_048_577);
  assert.equal((await good('GET', drop, '/orgs/{org}/drops/new.csv')).json.complete, true);
  await good('GET', '/orgs/{org}/queue');
  await good('GET', '/queue');
  const uploads = '/orgs/{org}/uploads';
  assert.deepEqual(
    (await good('GET', uploads)).json.items.map((item: { path: string; state: string }) => [item.path, item.state]),
    [['/new.csv', 'queued']],
  );
  assert.equal((await good('GET', uploads, `${uploads}?search=OTHER`)).json.items.length, 0);
  await good('GET', '/orgs/{org}/files');
  await good('GET', '/orgs/{org}/files/content', '/orgs/{org}/files/content?path=/none', undefined, 404);
  await good('POST', '/orgs/{org}/files/requeue', '/orgs/{org}/files/requeue', { path: '/none' }, 404);

  const csv2 = 'User Email,Manager Email\nli@acme.test,owner@acme.test\nnobody,\n';
  const checked = await good('POST', '/orgs/{org}/checks', '/orgs/{org}/checks', csv2, 200, {
    'content-type': 'text/csv',
  });
  assert.deepEqual([checked.json.state, checked.json.users.created], ['would_import', 1]);
  assert.deepEqual([checked.json.issues[0].line, checked.json.issueCount], [3, 1]);
  assert.equal((await good('GET', '/orgs/{org}/users')).json.items.length, 1);

  const held = await insert('held');
  const run = `/orgs/{org}/runs/${held}`;
  await good('GET', '/runs');
  await good('GET', '/orgs/{org}/runs');
  assert.equal((await good('GET', '/orgs/{org}/runs/{run}', run)).json.digest, 'counted');
  await good('POST', '/orgs/{org}/imports', '/orgs/{org}/imports', undefined, 409);
  const approve = '/orgs/{org}/runs/{run}/approve';
  await good('POST', approve, `${run}/approve`, { digest: 'another' }, 409);
  const approved = await good('POST', approve, `${run}/approve`, { digest: 'counted', note: 'phoned' });
  assert.deepEqual([approved.json.state, approved.json.approvedBy.slice(0, 10)], ['open', 'token:tok_']);
  await write('runs').where({ id: held }).update({ state: 'rejected' });
  const other = await insert('held');
  const rejected = await good('POST', '/orgs/{org}/runs/{run}/reject', `/orgs/{org}/runs/${other}/reject`, {});
  assert.equal(rejected.json.state, 'rejected');
  const failed = await insert('failed');
  const retry = '/orgs/{org}/runs/{run}/retry';
  await good('POST', retry, `/orgs/{org}/runs/${failed}/retry`, undefined, 409);
  await good('POST', '/orgs/{org}/runs/{run}/undo', `/orgs/{org}/runs/${failed}/undo`, undefined, 409);
  await good('GET', '/orgs/{org}/runs/{run}/changes', `/orgs/{org}/runs/${failed}/changes`, undefined, 409);
  const opened = await good('POST', '/orgs/{org}/imports');
  assert.equal(opened.json.state, 'open');
  const again = await good('POST', retry, `/orgs/{org}/runs/${opened.json.id}/retry`);
  assert.equal(again.json.id, opened.json.id);

  await good('GET', '/orgs/{org}/runs/{run}/issues', `/orgs/{org}/runs/${failed}/issues`);
  const news = await good('GET', '/orgs/{org}/runs/{run}/progress', `/orgs/{org}/runs/${failed}/progress`);
  assert.match(news.text, /^event: end\ndata: \{"id":\d+,.*"state":"failed"/);

  const me = '/orgs/{org}/users/{email}';
  const own = '/orgs/{org}/users/owner@acme.test';
  const edited = await good('PATCH', me, own, { set: { 'User Name': 'Olga', 'First Name': 'O' } });
  assert.equal(edited.json.changes[0].after, 'Olga');
  const both = await good('PATCH', me, own, { set: { 'Last Name': 'Ost' }, clear: ['First Name'] });
  assert.deepEqual([both.json.runs.length, both.json.changes.length], [1, 2]);
  await good('PATCH', me, own, { set: { 'Last Name': 'West' }, clear: ['last name'] }, 400);
  await good('POST', `${me}/deactivate`, `${own}/deactivate`, {}, 409);
  assert.deepEqual((await good('POST', `${me}/reactivate`, `${own}/reactivate`)).json.runs, []);
  const { story, changes } = (await good('GET', `${me}/history`, `${own}/history`)).json;
  assert.equal(story.find(({ field }: { field: string }) => field === 'User Name').value, 'Olga');
  assert.equal(changes[0].origin, 'person');
  await place.directory.write('teams').insert(teamRow);
  await good('GET', '/orgs/{org}/teams/{team}/history', '/orgs/{org}/teams/Sales/history');
  await good('PATCH', '/orgs/{org}/teams/{team}', '/orgs/{org}/teams/Sales', { set: { 'Team Type': 'Dept' } });
  const parted = { set: { 'Owner Email': 'owner@acme.test' }, clear: ['Parent Team'] };
  assert.equal(
    (await good('PATCH', '/orgs/{org}/teams/{team}', '/orgs/{org}/teams/Sales', parted)).json.runs.length,
    1,
  );
  const renamed = await good('POST', '/orgs/{org}/teams/{team}/rename', '/orgs/{org}/teams/Sales/rename', {
    name: 'S 2',
  });
  assert.deepEqual([renamed.json.name, renamed.json.type], ['S 2', 'Dept']);
  await good('POST', '/orgs/{org}/fields', '/orgs/{org}/fields', { label: 'Managers Email' });
  const at = '/orgs/{org}/fields/{field}';
  await good('GET', at, '/orgs/{org}/fields/managers%20email');
  for (const body of [{ hidden: true }, { type: 'date' }, { label: 'Leaders' }])
    await good('PATCH', at, '/orgs/{org}/fields/Managers%20Email', body);
  // Its old label finds it too, for the GET whose ETag a change names as for the change.
  const old = await good('GET', at, '/orgs/{org}/fields/MANAGERS%20%20email');
  assert.equal(old.json.label, 'Leaders');
  const match = { 'if-match': old.headers.get('etag')! };
  await good('PATCH', at, '/orgs/{org}/fields/Managers%20Email', { hidden: true }, 200, match);
  assert.deepEqual(
    (await good('GET', '/orgs/{org}/fields')).json.items.map(
      ({ createdAt: _at, ...one }: object & { createdAt: string }) => one,
    ),
    [{ label: 'Leaders', type: 'date', hidden: true, users: 0 }],
  );

  const aliases = (await good('GET', '/orgs/{org}/team-aliases')).json.items;
  assert.deepEqual([aliases[0].name, aliases[0].team], ['Sales', 'S 2']);
  await good('DELETE', '/orgs/{org}/team-aliases/{alias}', '/orgs/{org}/team-aliases/sales');
  const gone = { org: 'acme', email: 'Gone@acme.test', emailKey: 'gone@acme.test', at: 1 };
  await insertOwner(place.directory.write, gone);
  const person = '/orgs/{org}/users/gone@acme.test';
  await good('POST', `${me}/erase`, `${person}/erase`, { confirm: 'owner@acme.test' }, 400);
  await good('POST', `${me}/erase`, `${person}/erase`, { confirm: 'gone@acme.test', texts: ['x'] }, 400);
  const busy = await insert('running');
  const erased = await good(
    'POST',
    `${me}/erase`,
    `${person}/erase`,
    { confirm: 'gone@acme.test', waitSeconds: 0 },
    409,
  );
  assert.match(erased.json.detail, /an import of acme is in progress/);
  await write('runs').where({ id: busy }).update({ state: 'failed' });
  const erasure = await good('POST', `${me}/erase`, `${person}/erase`, { confirm: 'gone@acme.test' });
  assert.equal(erasure.json.wasUser, true);
  const job = `/orgs/{org}/erasures/${erasure.json.receipt}`;
  const ended = (await good('GET', '/orgs/{org}/erasures/{receipt}', job)).json;
  assert.deepEqual([ended.state, ended.result], ['done', erasure.json]);
  await good('GET', '/orgs/{org}/erasures/{receipt}', '/orgs/{org}/erasures/0123456789abcdef', undefined, 404);
  await noteAttempt(write, {
    ...{ org: 'acme', credential: null, fingerprint: 'SHA256:x', at: 1, address: '192.0.2.7', client: 'x' },
    reason: 'unknown key',
  });
  const [attempt] = (await good('GET', '/orgs/{org}/connections')).json.items;
  assert.deepEqual([attempt.accepted, attempt.reason, attempt.key], [false, 'unknown key', null]);
  await good('GET', me, person, undefined, 404);
  const readmitted = await good('POST', `${me}/readmit`, `${person}/readmit`);
  assert.equal(readmitted.json.receipt, erasure.json.receipt);

  const templates = (await good('GET', '/orgs/{org}/templates')).json.templates;
  assert.match(templates.find(({ name }: { name: string }) => name === 'users.csv').text, /^User Email,/);
  await good('GET', '/orgs/{org}/welcome', '/orgs/{org}/welcome', undefined, 400);
  await good('GET', '/orgs/{org}/welcome', '/orgs/{org}/welcome?host=sftp.example', undefined, 409);
  const passwords = '/orgs/{org}/passwords';
  const once = { 'idempotency-key': 'password' };
  const made1 = await good('POST', passwords, passwords, { label: 'old scanner' }, 201, once);
  assert.match(made1.json.password, /^\S{20,}$/);
  const made2 = await good('POST', passwords, passwords, { label: 'old scanner' }, 201, once);
  assert.deepEqual([made2.json.key, made2.json.password], [made1.json.key, null]);
  const revoked = '/orgs/{org}/revoked-certificates';
  await good('POST', revoked, revoked, { serial: '1', id: 'x' }, 400);
  await good('POST', revoked, revoked, { serial: '042' });
  assert.equal((await good('GET', revoked)).json.items[0].value, '42');
  const pgp = '/orgs/{org}/pgp-keys';
  await good('GET', '/orgs/{org}/pgp-key', '/orgs/{org}/pgp-key', undefined, 404);
  const own1 = await good('POST', pgp, pgp, { type: 'curve25519', expires: '2099-12-31' });
  const turned = await good('POST', `${pgp}/rotate`, `${pgp}/rotate`, { type: 'curve25519', overlapDays: 3 });
  assert.deepEqual(
    turned.json.ending.map(({ fingerprint: one }: { fingerprint: string }) => one),
    [own1.json.fingerprint],
  );
  const published = (await good('GET', '/orgs/{org}/pgp-key')).json;
  assert.equal(published.fingerprint, turned.json.made.fingerprint);
  assert.match(published.publicKey, /^-----BEGIN PGP PUBLIC KEY BLOCK-----/);
  assert.equal((await good('GET', pgp)).json.items.length, 2);
  await good('DELETE', `${pgp}/{key}`, `${pgp}/${own1.json.fingerprint}`);
  await good('POST', `${pgp}/import`, `${pgp}/import`, { key: 'no key' }, 400);

  const source = '/orgs/{org}/sources/{id}';
  const choice = { host: '127.0.0.1', port: 1, user: 'hr', path: '/out', generateKey: true, allowPrivate: true };
  const { source: number } = (await good('POST', '/orgs/{org}/sources', '/orgs/{org}/sources', choice)).json;
  const door = (path = '') => `/orgs/{org}/sources/${number}${path}`;
  await good('GET', '/orgs/{org}/sources');
  await good('GET', source, door());
  assert.equal((await good('PATCH', source, door(), { path: '/in' })).json.path, '/in');
  await good('POST', `${source}/test`, door('/test'), {}, 422);
  await good('POST', `${source}/run`, door('/run'), undefined, 409);
  await good('POST', `${source}/disable`, door('/disable'));
  assert.equal((await good('POST', `${source}/enable`, door('/enable'))).json.state, 'unconfirmed');
  await good('DELETE', source, door());
  const dir = temporaryFolder(t);
  const folders = '/orgs/{org}/folders';
  const watched = (await good('POST', folders, folders, { dir })).json;
  assert.equal(watched.dir, dir);
  await good('GET', folders);
  for (const [method, end] of [
    ['GET', ''],
    ['POST', '/run'],
    ['POST', '/disable'],
    ['POST', '/enable'],
    ['DELETE', ''],
  ] as const)
    await good(method, `${folders}/{id}${end}`, `${folders}/${watched.folder}${end}`);

  const closed = { url: 'https://127.0.0.1:1/', allowPrivate: true };
  for (const prefix of ['/orgs/{org}', '']) {
    const hooks = `${prefix}/webhooks`;
    const hook = (await good('POST', hooks, hooks, closed, 201, { 'idempotency-key': `hook${prefix.length}` })).json;
    assert.match(hook.secret, /^whsec_/);
    const again = await good('POST', hooks, hooks, closed, 201, { 'idempotency-key': `hook${prefix.length}` });
    assert.deepEqual([again.json.id, again.json.secret], [hook.id, null]);
    assert.equal((await good('GET', hooks)).json.items.at(-1).id, hook.id);
    const one = `${hooks}/{id}`;
    const id = `${hooks}/${hook.id}`;
    await good('GET', one, id);
    assert.equal((await good('POST', `${one}/test`, `${id}/test`)).json.delivered, false);
    await good('POST', `${one}/rotate-secret`, `${id}/rotate-secret`, {});
    await good('POST', `${one}/resend`, `${id}/resend`, { event: 'evt_none' }, 404);
    await good('GET', `${one}/deliveries`, `${id}/deliveries`);
    await good('POST', `${one}/disable`, `${id}/disable`);
    await good('POST', `${one}/enable`, `${id}/enable`);
    assert.equal((await good('DELETE', one, id)).json.id, hook.id);
  }
  const quiet = { org: null, types: ['run.*'], description: null, secret: null };
  const program = { ...quiet, options: { program: '/bin/sh', args: ['-c', 'true'], folder: '/srv' } };
  const hook = await addSubscriber(place, commandKind, program);
  const handler = await addSubscriber(place, handlerKind, { ...quiet, name: 'audit', seenAt: 1, options: {} });
  for (const [group, id] of [
    ['hooks', hook],
    ['handlers', handler],
  ] as const) {
    assert.equal((await good('GET', `/${group}`)).json.items.length, 1);
    const { text } = await good('GET', `/${group}/{id}`, `/${group}/${id}`);
    assert.doesNotMatch(text, /program|args|folder|bin\/sh/);
    await good('GET', `/${group}/{id}/deliveries`, `/${group}/${id}/deliveries`);
    assert.equal((await good('POST', `/${group}/{id}/disable`, `/${group}/${id}/disable`)).json.state, 'disabled');
  }
  await good('POST', '/handlers/{id}/resend', `/handlers/${handler}/resend`, { event: 'evt_none' }, 404);
  assert.equal(
    (await good('POST', '/handlers/{id}/enable', `/handlers/${handler}/enable?fromNow=true`)).json.name,
    'audit',
  );
  await good('DELETE', '/handlers/{id}', `/handlers/${handler}`);

  for (const [prefix, role, other] of [
    ['/orgs/{org}', 'admin', 'viewer'],
    ['', 'operator', 'auditor'],
  ] as const) {
    const tokens = `${prefix}/tokens`;
    const named = { 'idempotency-key': `token${prefix.length}` };
    const first = (await good('POST', tokens, tokens, { name: 'x', scope: 'read' }, 201, named)).json;
    assert.match(first.secret, /^dst_/);
    const again = (await good('POST', tokens, tokens, { name: 'x', scope: 'read' }, 201, named)).json;
    assert.deepEqual([again.id, again.secret], [first.id, null]);
    assert.equal((await good('GET', tokens)).json.items.at(-1).id, first.id);
    const one = `${tokens}/${first.id}`;
    assert.equal((await good('GET', `${tokens}/{id}`, one)).json.state, 'usable');
    assert.equal((await good('DELETE', `${tokens}/{id}`, one)).json.state, 'revoked');
    const people = `${prefix}/people`;
    const email = `${role}@people.test`;
    const asked = { 'idempotency-key': `person${prefix.length}` };
    const invited = (await good('POST', people, people, { email, role }, 201, asked)).json;
    assert.match(invited.link, /^http:\/\/127\.0\.0\.1:8023\/invitation\/\S{43}$/);
    assert.equal((await good('POST', people, people, { email, role }, 201, asked)).json.link, null);
    assert.ok((await good('GET', people)).json.items.some((row: { email: string }) => row.email === email));
    const me = `${people}/{person}`;
    await good('GET', me, `${people}/${email}`);
    assert.equal((await good('PATCH', me, `${people}/${email}`, { role: other })).json.role, other);
    assert.equal((await good('DELETE', me, `${people}/${email}`)).json.email, email);
  }
  const provider = '/orgs/{org}/provider';
  await good('GET', provider, provider, undefined, 404);
  const client = { issuer: 'https://login.acme.test', clientId: 'dropslot', clientSecret: 'hush' };
  const { json: shownProvider } = await good('PATCH', provider, provider, client);
  assert.deepEqual([shownProvider.hasSecret, JSON.stringify(shownProvider).includes('hush')], [true, false]);
  assert.equal((await good('GET', provider)).json.passwordSignIn, true);
  assert.equal((await good('PATCH', provider, provider, { passwordSignIn: false })).json.hasSecret, true);
  assert.equal((await good('GET', '/providers')).json.items.length, 1);
  await good('DELETE', provider);
  const { yaml } = (await good('GET', '/setup', '/setup?orgs=acme')).json;
  assert.deepEqual((await good('POST', '/setup', '/setup', { yaml, dryRun: true, prune: true })).json.changes, []);
  await good(
    'POST',
    '/orgs/{org}/exports/users/mail',
    '/orgs/{org}/exports/users/mail',
    { to: 'owner@acme.test' },
    503,
  );

  const flows = '/orgs/{org}/exports';
  const flow = (await good('POST', flows, flows, { toFolder: '/exports', when: 'daily@05:00' })).json;
  await good('GET', flows);
  assert.equal((await good('POST', `${flows}/{id}/run`, `${flows}/${flow.id}/run`)).json.delivered, true);
  for (const [method, end] of [
    ['GET', ''],
    ['GET', '/deliveries'],
    ['POST', '/disable'],
    ['POST', '/enable'],
    ['DELETE', ''],
  ] as const)
    await good(method, `${flows}/{id}${end}`, `${flows}/${flow.id}${end}`);

  const mails = '/orgs/{org}/notifications';
  const mail = `${mails}/{address}`;
  const ann = `${mails}/ann@acme.test`;
  await good('POST', mails, mails, { address: 'ann@acme.test' }, 503);
  const unconfirmed = {
    org: 'acme',
    types: ['run.held'],
    options: { address: 'ann@acme.test', codeHash: 'x', sentAt: place.now() },
  };
  await addSubscriber(
    place,
    mailKind,
    { ...unconfirmed, secret: null, description: null },
    { disabledBecause: 'its address is not confirmed' },
  );
  assert.equal((await good('GET', mails)).json.items.length, 1);
  assert.equal((await good('GET', mail, ann)).json.state, 'unconfirmed');
  await good('PATCH', mail, ann, { events: ['problems'] });
  await good('POST', `${mail}/confirm`, `${ann}/confirm`, { code: '1' }, 409);
  await good('POST', `${mail}/resend`, `${ann}/resend`, undefined, 503);
  await good('POST', `${mail}/test`, `${ann}/test`, undefined, 409);
  await good('POST', `${mail}/enable`, `${ann}/enable`, undefined, 409);
  await good('DELETE', mail, ann);

  const server = { id: 'node', name: 'node:1', kind: 'serve' as const };
  const none = {
    filesReceived: 0,
    filesSent: 0,
    bytesReceived: 5,
    bytesSent: 0,
    openFiles: 1,
    openBytes: 5,
    bytesPerSecond: 2,
  };
  const open = { id: 'ses1', org: 'acme', fingerprint: null, address: '192.0.2.9', client: 'x', startedAt: 1, ...none };
  await writeSessions(write, server, { at: place.now(), written: [open], ended: [] });
  for (const prefix of ['', '/orgs/{org}']) {
    assert.deepEqual((await good('GET', `${prefix}/sessions`)).json.items[0].transfer, {
      files: 1,
      bytes: 5,
      bytesPerSecond: 2,
    });
    await good('POST', `${prefix}/sessions/end`, `${prefix}/sessions/end`, { sessions: ['none'] }, 404);
  }
  await removeSessionServer(write, 'node');
  await good('POST', '/orgs/{org}/sessions/end', '/orgs/{org}/sessions/end', { sessions: null });
  await good('GET', '/penalties');
  await good('POST', '/penalties/forgive', '/penalties/forgive', { source: '192.0.2.7' });
  const hostKey = (await good('POST', '/hostkeys', '/hostkeys', { type: 'ed25519' })).json;
  const shown = `/hostkeys/${encodeURIComponent(hostKey.fingerprint)}`;
  await good('GET', '/hostkeys');
  await good('GET', '/hostkeys/{key}', shown);
  assert.equal((await good('POST', '/hostkeys/{key}/activate', `${shown}/activate`)).json.state, 'active');
  await good('DELETE', '/hostkeys/{key}', shown, undefined, 409);

  const { items: settings } = (await good('GET', '/settings')).json;
  assert.deepEqual(settings.find(({ name }: { name: string }) => name === 'data').origin, 'command line');
  const made = {
    at: place.now(),
    org: null,
    actor: 'operator:root',
    action: 'backup.made' as const,
    subject: '/mnt/backup',
  };
  await recordAudit(write, { ...made, detail: { files: 3, masterKey: 'included' } });
  const [backup] = (await good('GET', '/backups')).json.items;
  assert.deepEqual([backup.folder, backup.masterKey], ['/mnt/backup', 'included']);
  // The server of the test has no folder for backups.
  await good('POST', '/backups', '/backups', undefined, 409);
  assert.equal((await good('GET', '/backups/job')).json.state, 'none');
  await good('GET', '/event-types');
  assert.ok('run.held' in (await good('GET', '/event-schemas')).json);
  const [event] = (await good('GET', '/events')).json.items;
  await good('GET', '/events/{event}', `/events/${event.id}`);
  await good('POST', '/events/replay', '/events/replay', {});

  await good('GET', '/alarms');
  await good('GET', '/orgs/{org}/alarms');
  await good('GET', '/events');
  assert.ok((await good('GET', '/orgs/{org}/events')).json.items.length > 0);
  await good('GET', '/audit');
  await good('GET', '/orgs/{org}/audit');
  assert.deepEqual((await good('GET', '/audit/proof')).json.flaws, []);
  await good('GET', '/doctor');
  await good('GET', '/orgs/{org}/welcome', '/orgs/{org}/welcome?host=sftp.example&port=2222');
  for (const wrong of ['', '?confirm=acme']) await good('DELETE', '/orgs/{org}', `/orgs/new${wrong}`, undefined, 400);
  const removed = await good('DELETE', '/orgs/{org}', '/orgs/new?confirm=new');
  assert.equal(removed.json.users, 1);
  await good('GET', '/orgs/{org}', '/orgs/new', undefined, 404);
  assert.deepEqual(
    routes.map(rightOf).filter((name) => !done.has(name)),
    [],
  );
});

test('lists come in pages, which together have each row once', async (t) => {
  const { place, ask, token } = await openApi(t);
  const { secret } = await token('admin');
  await place.control.write('runs').insert([1, 2, 3, 4, 5].map(() => ({ ...runRow, state: 'done' })));
  const walk = async (path: string) => {
    const all: unknown[] = [];
    for (let cursor = ''; ; ) {
      const { json } = await ask(`${path}?limit=2${cursor}`, { token: secret });
      assert.ok(json.items.length <= 2);
      all.push(...json.items);
      if (json.next === null) return all;
      cursor = `&cursor=${json.next}`;
    }
  };
  for (const path of ['/orgs/acme/runs', '/audit', '/events', '/orgs']) {
    const whole = (await ask(path, { token: secret })).json.items;
    assert.ok(whole.length >= 2, path);
    // Each request leaves no record of its own here: the trail is the same for both walks.
    assert.deepEqual(await walk(path), whole);
  }
});

/** A path for a route, with these values in the places of its parameters. */
function fill({ path }: Route, value: (name: string) => string): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(value(name)));
}

test('each scope may use the routes of its rights, and no others', async (t) => {
  const { clock, ask, token } = await openApi(t);
  for (const scope of tokenScopes)
    for (const org of ['admin', 'owner', 'scim'].includes(scope) ? [undefined, 'acme'] : [undefined]) {
      const { secret } = await token(scope, org);
      for (const route of routes) {
        clock.ms += 60_000;
        // Values that no route accepts or finds: the route is reached, and changes nothing.
        const path = fill(route, (name) => (name === 'org' ? 'nobody' : '1'));
        const { status } = await ask(`${path}?no=such`, { method: route.method, token: secret });
        const may = rights[scope].includes(route.right) && !(route.isOfServer && org !== undefined);
        assert.equal(status, may ? 400 : 403, `${scope} of ${org}: ${rightOf(route)}`);
      }
    }
});

test('hostile requests to every route are refused, and none is a defect of the server', async (t) => {
  const { clock, ask, token } = await openApi(t);
  const tokens = [await token('owner'), await token('owner', 'other')];
  const values = ['', ' ', '..', '%', '%00', '\0', '/', "'; DROP TABLE orgs; --", 'é\u202e', '9'.repeat(14), '-1'];
  const texts = [...values, 'x'.repeat(5_000), 'acme', 'null', '[]'];
  const bodies: unknown[] = ['', '{', '[]', 'null', '{"__proto__":1}', `${'['.repeat(5_000)}`, 'x'.repeat(300_000)];
  const deep = {
    settings: { slot: '\ud800' },
    keys: '\0',
    id: '\0',
    path: '\ud800',
    digest: '',
    note: {},
    files: [''],
  };
  let count = 0;
  for (const [number, route] of routes.entries())
    for (const [index, text] of texts.entries()) {
      // Each route gets a third of them; the fuzzer (test/fuzz/api.ts) mixes all.
      if ((index + number) % 3 > 0) continue;
      clock.ms += 60_000;
      const { secret } = tokens[index % 2]!;
      const path = fill(route, (name) => (name === 'org' && index % 3 > 0 ? 'acme' : text));
      const query = `?limit=${encodeURIComponent(text)}&cursor=${encodeURIComponent(text)}&path=${encodeURIComponent(text)}`;
      const body = route.method === 'GET' ? undefined : index % 2 === 0 ? bodies[(index / 2) % bodies.length] : deep;
      for (const more of index % 4 === 0 ? ['', query] : [query]) {
        // Of all organizations and with nothing wrong in it, it would be a good request.
        if (more === '' && route.isOfServer) continue;
        const { status, text: got } = await ask(path + more, { method: route.method, token: secret, body });
        assert.ok(status < 500, `${rightOf(route)} ${JSON.stringify(text)}: ${got}`);
        count++;
      }
    }
  assert.ok(count > (routes.length * texts.length) / 3);
});

test('the OpenAPI document describes every route, and both pages need no token', async (t) => {
  const { ask } = await openApi(t);
  const { json, status } = await ask('/openapi.json');
  assert.deepEqual([status, json.openapi], [200, '3.1.0']);
  const described = Object.entries(json.paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  assert.deepEqual(described.sort(), routes.map(rightOf).sort());
  const ids = Object.values(json.paths as Record<string, Record<string, { operationId: string }>>).flatMap((methods) =>
    Object.values(methods).map(({ operationId }) => operationId),
  );
  assert.equal(new Set(ids).size, ids.length);
  const page = await ask('/docs');
  assert.match(page.headers.get('content-security-policy')!, /style-src 'sha256-/);
  for (const { path } of routes) assert.ok(page.text.includes(path));
  assert.doesNotMatch(page.text, /https?:\/\//);
});
