/** The page behind the link of a mailed export: a GET changes nothing, a POST downloads once, and no answer tells why a link is unusable. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exportUsers } from '../../../operations/export.js';
import { makeLink } from '../../../operations/exports/downloads.js';
import { csv } from '../../support/company.js';
import { openTestConsole, origin } from '../../support/console.js';

test('a scanner of mails uses nothing up; the button downloads; then the answer is that of an unknown link', async (t) => {
  const { place, acme, clock, visitor } = await openTestConsole(t);
  await acme.import({ 'users.csv': csv('User Email,User Name,Is Org Admin', 'ann@acme.test,Ann,Yes') });
  const { id } = await place.directory.read('users').where({ org_id: 'acme', email_key: 'ann@acme.test' }).first();
  const link = { name: 'users-1.csv', user: Number(id), createdAt: clock.now, expiresAt: clock.now + 60_000 };
  const { token } = await makeLink(place, acme.org, link, exportUsers(place, 'acme'));
  const path = `/d/${token}`;
  for (let n = 0; n < 3; n++) {
    const page = await visitor().get(path);
    assert.equal(page.status, 200);
    assert.match(page.text, /Acme Corp[\s\S]*users-1\.csv[\s\S]*<form method="post"><button>Download<\/button>/);
    assert.doesNotMatch(page.text, /<script|ann@acme/);
    assert.equal(page.headers.get('referrer-policy'), 'no-referrer');
    assert.equal(page.headers.get('cache-control'), 'no-store');
    assert.match(page.headers.get('content-security-policy')!, /form-action 'self'/);
  }
  const unknown = await visitor().get(`/d/${'a'.repeat(43)}`);
  // As a browser sends it from a page without a referrer.
  const press = () => visitor().post(path, {}, { headers: { origin: 'null' }, address: '192.0.2.9' });
  const file = await press();
  assert.equal(file.status, 200);
  assert.match(file.text, /ann@acme\.test/);
  assert.equal(file.headers.get('content-disposition'), "attachment; filename*=UTF-8''users-1.csv");
  assert.equal(file.headers.get('content-length'), String(Buffer.byteLength(file.text)));
  assert.equal(file.headers.get('cache-control'), 'no-store');
  for (const used of [await visitor().get(path), await press()]) {
    assert.equal(used.status, 404);
    assert.equal(used.text, unknown.text);
    assert.deepEqual(
      [...used.headers].filter(([name]) => name !== 'x-request-id'),
      [...unknown.headers].filter(([name]) => name !== 'x-request-id'),
    );
  }
});

test('guesses are limited for each address, right ones too', async (t) => {
  const { clock, visitor } = await openTestConsole(t);
  const guess = (address: string) => visitor().get(`/d/${'b'.repeat(43)}`, { address });
  for (let n = 0; n < 30; n++) assert.equal((await guess('192.0.2.3')).status, 404);
  const over = await guess('192.0.2.3');
  assert.equal(over.status, 429);
  assert.match(over.headers.get('retry-after')!, /^\d+$/);
  assert.equal((await visitor().post(`/d/${'b'.repeat(43)}`, {}, { address: '192.0.2.3' })).status, 429);
  assert.equal((await guess('192.0.2.4')).status, 404);
  clock.ms += 60_000;
  assert.equal((await guess('192.0.2.3')).status, 404);
});

test('a HEAD of a download is none, and an account has few downloads at a time', async (t) => {
  const { place, app, person } = await openTestConsole(t);
  const admin = await person('admin', 'acme');
  const ask = (path: string, method = 'GET') =>
    app.request(`${origin}${path}`, { method, headers: { cookie: `dropslot=${admin.cookie}` } });
  for (const file of ['people', 'teams']) {
    const told = await ask(`/orgs/acme/${file}.csv`, 'HEAD');
    assert.deepEqual([told.status, told.headers.get('allow')], [405, 'GET']);
  }
  const exports = () => place.control.read('audit').where({ action: 'directory.exported' }).pluck('subject');
  assert.deepEqual(await exports(), []);
  const open = [];
  for (let n = 0; n < 4; n++) open.push(await ask('/orgs/acme/people.csv'));
  const over = await ask('/orgs/acme/people.csv');
  assert.equal(over.status, 503);
  assert.match(await over.text(), /Other downloads are under way/);
  assert.equal((await exports()).length, 4);
  for (const one of open) assert.match(await one.text(), /^User Email,/);
  assert.match(await (await ask('/orgs/acme/teams.csv')).text(), /^Team Name,/);
});
