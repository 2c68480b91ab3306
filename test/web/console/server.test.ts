/** Pages about the whole server: events and subscribers, filters, missing files, refused logins, host keys, and an organization's end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noteAttempt } from '../../../db/control/loginattempts.js';
import { loadOrCreateHostKeys } from '../../../keys/host/hostkeys.js';
import { listHostKeys } from '../../../operations/hostkeys.js';
import { setOrganization } from '../../../operations/orgs.js';
import { readAssignments } from '../../../operations/orgsettings/orgsettings.js';
import { listAllSubscribers } from '../../../operations/subscribers.js';
import { addWebhook } from '../../../operations/webhooks.js';
import { csv } from '../../support/company.js';
import { openTestConsole } from '../../support/console.js';

const textOf = ({ text }: { text: string }) =>
  text
    .replace(/<[^>]+>/g, ' ')
    .replace(/&#34;/g, '"')
    .replace(/\s+/g, ' ');
const header = 'User Email,First Name';

test('events are filtered, paged and delivered again, and subscribers show their state', async (t) => {
  const { place, person, acme, other } = await openTestConsole(t);
  const operator = await person('operator');
  const people = Array.from({ length: 120 }, (_, n) => `u${n}@acme.test,Ann`);
  await acme.import({ 'users.csv': csv(header, ...people) });
  await other.import({ 'users.csv': csv(header, 'eve@other.test,Eve') });
  assert.match(textOf(await operator.get('/events')), /The last 100 events, the newest first/);
  const first = await operator.get('/events?type=user.*&org=acme');
  assert.equal(first.text.match(/>user\.created</g)!.length, 100);
  assert.doesNotMatch(first.text, /\/orgs\/other/);
  const next = /href="([^"]+)" rel="next"/.exec(first.text)![1]!.replaceAll('&#38;', '&');
  const second = await operator.get(next);
  // The owner, too.
  assert.equal(second.text.match(/>user\.created</g)!.length, 21);
  assert.equal((await operator.get('/events?type=nonsense')).status, 422);
  assert.equal((await operator.get('/events?since=nonsense')).status, 422);

  const { id } = await addWebhook(place, { url: 'https://hooks.example/x', types: 'run.*', description: 'Portal' });
  assert.match(
    textOf(await operator.get(`/events/subscribers?id=${id}`)),
    /Portal webhook all run\.\* in order.* Last deliveries to Portal .* No delivery yet/,
  );
  assert.equal((await operator.get('/events/subscribers?id=sub_none')).status, 404);
  const replayed = await operator.post('/events/replay', { to: id, type: 'run.*', org: 'acme', since: '7d' });
  assert.equal(replayed.headers.get('location'), '/events?done=replayed');
  const row = await place.control.read('event_replays').where({ subscriber_id: id }).first();
  assert.ok(row !== undefined);
  const wrong = await operator.post('/events/replay', { to: id, type: 'run.*', since: 'soon' });
  assert.equal(wrong.status, 422);
  assert.match(wrong.text, /value="soon"/);
  await place.control.write('subscribers').where({ id }).update({ state: 'disabled', reason: 'HTTP 410' });
  assert.match(textOf(await operator.get('/events/subscribers')), /disabled HTTP 410 .*Enable/);
  await operator.post('/events/subscribers/enable', { id });
  assert.equal((await listAllSubscribers(place))[0]!.state, 'enabled');
});

test('runs, the directory and the audit trail are searched', async (t) => {
  const { place, person, acme, other, clock } = await openTestConsole(t);
  const operator = await person('operator');
  await acme.import({ 'users.csv': csv(header, 'ann@acme.test,Ann') });
  await other.import({ 'users.csv': csv(header, 'Ann@acme.test,Ann', 'eve@other.test,Eve') });
  const runs = await operator.get('/runs?org=acme&since=24h');
  assert.match(runs.text, /\/orgs\/acme\/imports/);
  assert.doesNotMatch(runs.text, /\/orgs\/other\/imports/);
  assert.match(textOf(await operator.get('/runs?org=none')), /There is no import yet/);
  clock.now += 60_000;
  assert.doesNotMatch((await operator.get('/runs?since=30s')).text, /\/orgs\/\w+\/imports\/\d/);

  const found = textOf(await operator.get('/directory?email=ANN@acme.test'));
  assert.match(found, /Organizations with this person .*ann@acme\.test acme Ann@acme\.test other/);
  assert.match(found, /Acme Corp acme 2 0 0/);
  assert.match(textOf(await operator.get('/directory?email=nobody@x.test')), /No organization has a person/);

  await setOrganization({ ...place, actor: 'operator:root' }, 'acme', readAssignments(['slot=03:00']));
  const rows = (page: { text: string }) => page.text.match(/<tr>/g)?.length ?? 0;
  const changed = await operator.get('/audit?action=org.changed&actor=ROOT&since=24h');
  assert.equal(rows(changed), 2);
  assert.match(textOf(changed), /operator:root org\.changed acme/);
  assert.match(textOf(await operator.get('/audit?action=run.&since=30s')), /There is no record/);
  assert.match(textOf(await operator.get('/audit?action=run.&org=other')), /run\.done other/);
});

test('an operator finds out why a file did not arrive', async (t) => {
  const { place, person, acme, clock } = await openTestConsole(t);
  const operator = await person('operator');
  const ask = async (name = '') => textOf(await operator.get(`/arrivals?org=acme&name=${name}`));
  assert.match(await ask(), /No file of this organization has arrived yet\. Its sender reached no login lately/);
  assert.match(textOf(await operator.get('/arrivals?org=none')), /There is no organization with this id/);
  const attempt = { org: 'acme', fingerprint: 'SHA256:x', credential: null, address: '192.0.2.7', client: 'WinSCP' };
  await noteAttempt(place.control.write, { ...attempt, at: clock.now, reason: 'unknown key' });
  assert.match(
    await ask('users'),
    /1 login was refused since the last login or file: the key is not known.*No upload with "users".*192\.0\.2\.7 WinSCP/,
  );
  assert.match(textOf(await operator.get('/network')), /acme the key is not known 1 Tue/);

  await acme.drop('/users.csv.part', csv(header, 'ann@acme.test,Ann'));
  assert.match(await ask('USERS'), /users\.csv\.part: not imported: waits for its rename to a final name/);
  await acme.rename('/users.csv.part', '/users.csv');
  clock.now += 1000;
  assert.match(await ask('users'), /\/users\.csv arrived, and waits for the next import, Wednesday 02:00/);
  await acme.import();
  assert.match(await ask('users'), /\/users\.csv arrived, and was imported\. .* imported Import 1/);
  await acme.import({ 'other.csv': csv('Nonsense', '1') });
  assert.match(await ask('other'), /other\.csv arrived, and was refused by its import/);
  await setOrganization(place, 'acme', readAssignments(['plan=basic']));
  assert.match(await ask(), /does not include SFTP access/);
});

test('a host key is rotated step by step, and an organization is removed after its id was typed', async (t) => {
  const { place, person } = await openTestConsole(t);
  const operator = await person('operator');
  await loadOrCreateHostKeys(place.paths.hostKeys);
  const states = async () => (await listHostKeys(place, null)).map(({ type, state }) => `${type} ${state}`).sort();
  const [active] = (await listHostKeys(place, null)).filter(({ type }) => type === 'ssh-ed25519');
  assert.equal((await operator.post('/network/hostkeys/add', { type: 'dsa' })).status, 422);
  assert.equal((await operator.post('/network/hostkeys/add', { type: 'ed25519' })).status, 303);
  assert.match(textOf(await operator.get('/network')), /1\. announced: clients learn it .* 2\. Activate it/);
  const announced = (await listHostKeys(place, null)).find(({ state }) => state === 'announced')!;
  await operator.post('/network/hostkeys/activate', { key: announced.fingerprint });
  assert.match(textOf(await operator.get('/network')), /3\. replaced: to be removed .* 3\. Remove it/);
  await operator.post('/network/hostkeys/remove', { key: active!.fingerprint });
  assert.ok((await states()).every((state) => state.endsWith('active')));

  const sheet = await operator.get('/orgs/acme/settings/welcome');
  assert.match(textOf(sheet), /Sending files of Acme Corp by SFTP .* Host console\.test .* User acme/);
  assert.match((await operator.get('/orgs/acme/settings/welcome.txt')).text, /^Sending files of Acme Corp by SFTP/);
  const wrong = await operator.post('/orgs/acme/settings/remove', { confirm: 'other' });
  assert.equal(wrong.status, 422);
  assert.match(textOf(wrong), /Type the id of the organization, acme, to remove it/);
  assert.equal((await operator.post('/orgs/acme/settings/remove', { confirm: 'acme' })).status, 303);
  assert.equal((await operator.get('/orgs/acme')).status, 404);
  assert.equal((await operator.get('/orgs/other')).status, 200);
});
