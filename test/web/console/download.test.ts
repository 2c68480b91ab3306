/** The page behind the link of a mailed export: a GET changes nothing, a POST downloads once, and no answer tells why a link is unusable. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { createSilentLogger } from '../../../config/logger.js';
import { exportUsers } from '../../../operations/export.js';
import { makeLink } from '../../../operations/exports/downloads.js';
import { listen } from '../../../web/api/listen.js';
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

test('a connection that breaks in the middle of a download leaves the link usable, and the whole file can be fetched', async (t) => {
  const { place, acme, clock, app } = await openTestConsole(t);
  const { id } = await place.directory.read('users').where({ org_id: 'acme' }).first();
  await place.directory.write('users').where({ id }).update({ is_admin: 1, status: 'active' });
  const line = 'x'.repeat(1_000);
  async function* large() {
    for (let n = 0; n < 20_000; n++) yield line;
  }
  const link = { name: 'users-1.csv', user: Number(id), createdAt: clock.now, expiresAt: clock.now + 3_600_000 };
  const { token } = await makeLink(place, acme.org, link, large());
  const server = await listen(app.fetch, { host: '127.0.0.1', port: 0, tls: null }, createSilentLogger());
  t.after(() => server.stop(0));
  const socket = connect(server.port, '127.0.0.1');
  socket.write(`POST /d/${token} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
  await once(socket, 'data');
  socket.destroy();
  const url = `http://127.0.0.1:${server.port}/d/${token}`;
  while ((await place.control.read('audit').where({ action: 'export.download_broken' })).length === 0)
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal((await fetch(url)).status, 200);
  const whole = await fetch(url, { method: 'POST' });
  const { byteLength } = await whole.arrayBuffer();
  assert.equal(String(byteLength), whole.headers.get('content-length'));
  assert.ok(byteLength >= 20_000_000);
  assert.equal((await fetch(url)).status, 404);
});

test('the people of an organization and its links in mails leave places to others', async (t) => {
  const { place, acme, other, clock, app, person, visitor } = await openTestConsole(t);
  const ofOrg = async (company: typeof acme, address: string) => {
    await company.import({ 'users.csv': csv('User Email,User Name,Is Org Admin', `${address},Ann,Yes`) });
    const { id } = await place.directory.read('users').where({ org_id: company.org.id, email_key: address }).first();
    const link = { name: 'users.csv', user: Number(id), createdAt: clock.now, expiresAt: clock.now + 60_000 };
    const { token } = await makeLink(place, company.org, link, exportUsers(place, company.org.id));
    return (n: number) => visitor().post(`/d/${token}`, {}, { address: `192.0.2.${n}` });
  };
  const [link, otherLink] = [await ofOrg(acme, 'ann@acme.test'), await ofOrg(other, 'ann@other.test')];
  const ask = (path: string, cookie: string) =>
    app.request(`${origin}${path}`, { headers: { cookie: `dropslot=${cookie}` } });
  const open = [];
  for (let n = 0; n < 6; n++) {
    const { cookie } = await person(n % 2 === 0 ? 'admin' : 'viewer', 'acme');
    for (let m = 0; m < 4; m++) open.push(await ask('/orgs/acme/people.csv', cookie));
  }
  const taken = open.filter(({ status }) => status === 200);
  assert.equal(taken.length, 6);
  assert.equal((await link(1)).status, 503);
  // The others do not notice.
  const { cookie } = await person('admin', 'other');
  assert.equal((await ask('/orgs/other/people.csv', cookie)).status, 200);
  assert.equal((await otherLink(2)).status, 200);
  await taken[0]!.text();
  assert.equal((await link(3)).status, 200, 'the link was not used up');
  for (const one of taken.slice(1)) await one.text();
});
