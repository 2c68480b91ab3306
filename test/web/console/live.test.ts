/** Live parts of pages, pages of many files, the organization tree, and who gets which mail. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findSubscriber } from '../../../db/control/eventsubscribers.js';
import { openManualRun } from '../../../db/control/runs.js';
import { changeRole, removePerson } from '../../../operations/accounts/people.js';
import { listNotifications } from '../../../operations/notifyaddress.js';
import { takePlace } from '../../../operations/places.js';
import { describeProgress } from '../../../operations/runsummary.js';
import { addSubscriber, mailKind } from '../../../operations/subscribers.js';
import { csv } from '../../support/company.js';
import { openTestConsole } from '../../support/console.js';

const textOf = ({ text }: { text: string }) => text.replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ');
const header = 'User Email,First Name';

test('a running import is followed by events; the page works without its script', async (t) => {
  const { place, person, acme, other, clock } = await openTestConsole(t);
  const viewer = await person('viewer', 'acme');
  await acme.drop('/users.csv', csv(header, 'ann@acme.test,Ann'));
  const id = await openManualRun(place.control.write, 'acme', clock.now);
  const page = `/orgs/acme/imports/${id}`;
  const shown = await viewer.get(page);
  assert.match(shown.text, /<noscript><meta http-equiv="refresh" content="3"><\/noscript>/);
  assert.match(shown.text, new RegExp(`data-live="${page}/progress" data-reload`));
  assert.match(shown.headers.get('content-security-policy')!, /script-src 'self'; connect-src 'self'/);
  const script = /<script src="(\/assets\/[0-9a-f]{16}\.js)" defer>/.exec(shown.text)![1]!;
  assert.match((await viewer.get(script)).text, /new EventSource/);
  const row = { phase: 'staging', file: 'users.csv', rows: 2_000 };
  await place.control.write('uploads').update({ run_id: id, rows: 10_000 });
  await place.control
    .write('runs')
    .where({ id })
    .update({ progress: JSON.stringify(row), state: 'running' });
  const { text, headers } = await viewer.get(`${page}/progress`);
  assert.equal(headers.get('content-type'), 'text/event-stream');
  const data = JSON.parse(/^event: progress\ndata: (.*)\n\n$/.exec(text)![1]!);
  assert.deepEqual([data.phase, data.file, data.rows], ['reads', 'users.csv', '2,000 of 10,000 rows']);
  assert.match(describeProgress(row as never), /staging/);

  const done = await other.import({ 'users.csv': csv(header, 'eve@other.test,Eve') });
  assert.equal((await viewer.get(`/orgs/acme/imports/${done.run}/progress`)).status, 404);
  const operator = await person('operator');
  assert.match((await operator.get(`/orgs/other/imports/${done.run}/progress`)).text, /^event: end\n/);
  const finished = await operator.get(`/orgs/other/imports/${done.run}`);
  assert.doesNotMatch(finished.text, /<script/);
  assert.doesNotMatch(finished.headers.get('content-security-policy')!, /script-src/);
  assert.match((await operator.get('/')).text, /data-live="\/progress"/);
  assert.match((await operator.get('/progress')).text, /^event: progress\ndata: {"runs":"1 running, 0 held","queue":"/);
  assert.equal((await viewer.get('/progress')).status, 404);
});

test('a bounded number of pages is followed', async (t) => {
  const { place, person, app, clock, acme } = await openTestConsole(t);
  const viewer = await person('viewer', 'acme');
  await acme.drop('/users.csv', csv(header, 'ann@acme.test,Ann'));
  const id = await openManualRun(place.control.write, 'acme', clock.now);
  const open = () =>
    app.request(`http://console.test/orgs/acme/imports/${id}/progress`, {
      headers: { cookie: `dropslot=${viewer.cookie}` },
    });
  const streams: ReadableStreamDefaultReader<Uint8Array>[] = [];
  for (let n = 0; n < 10; n++) {
    const reader = (await open()).body!.getReader();
    await reader.read();
    streams.push(reader);
  }
  const refused = await viewer.get(`/orgs/acme/imports/${id}/progress`);
  assert.equal(refused.status, 503);
  await place.control.write('account_sessions').delete();
  // Each ends with its session.
  for (const reader of streams) assert.equal((await reader.read()).done, true);
  assert.equal(takePlace(new Set(['live part 0']), 'live part', 1), null);
});

test('a live part ends with a changed role, and with its account', async (t) => {
  const { place, person, app, clock, acme } = await openTestConsole(t);
  await acme.drop('/users.csv', csv(header, 'ann@acme.test,Ann'));
  const id = await openManualRun(place.control.write, 'acme', clock.now);
  const follow = async ({ cookie }: { cookie: string }) => {
    const headers = { cookie: `dropslot=${cookie}` };
    const reader = (
      await app.request(`http://console.test/orgs/acme/imports/${id}/progress`, { headers })
    ).body!.getReader();
    await reader.read();
    return reader;
  };
  const [one, two] = [await person('operator'), await person('operator')];
  const [first, second] = [await follow(one), await follow(two)];
  await changeRole(place, one.email, 'auditor');
  await removePerson(place, two.email);
  for (const reader of [first, second]) assert.equal((await reader.read()).done, true);
});

test('an import of many files shows a page of them, and reads no report of the others', async (t) => {
  const { acme, person } = await openTestConsole(t);
  const admin = await person('admin', 'acme');
  const files = Object.fromEntries(
    Array.from({ length: 12 }, (_, n) => [`f${n}.csv`, csv(header, `u${n}@acme.test,A`, 'no address,B')]),
  );
  const { run } = await acme.import(files);
  const page = `/orgs/acme/imports/${run}`;
  const names = ({ text }: { text: string }) =>
    [...text.matchAll(/<h2 id="file-\d+">\/?([^<]+)/g)].map(([, name]) => name!);
  const first = await admin.get(page);
  assert.equal(names(first).length, 5);
  assert.match(textOf(first), /Files 1 to 5 of 12/);
  const last = await admin.get(`${page}?files=10`);
  assert.equal(names(last).length, 2);
  const chosen = await admin.get(`${page}?file=7`);
  assert.equal(new Set([...names(first), ...names(last), ...names(chosen)]).size, 12);
  assert.equal((await admin.get(`${page}?files=999999`)).status, 200);
});

test('Home names the date of an import more than six days away', async (t) => {
  const { acme, person, clock } = await openTestConsole(t);
  const viewer = await person('viewer', 'acme');
  await acme.import({ 'users.csv': csv(header, 'ann@acme.test,Ann') });
  clock.now += 5 * 86_400_000;
  const later = await person('viewer', 'acme');
  assert.match(textOf(await later.get('/orgs/acme')), /Tuesday 12:00: 1 person up to date/);
  clock.now += 2 * 86_400_000;
  const latest = await person('viewer', 'acme');
  assert.match(textOf(await latest.get('/orgs/acme')), /Tue 10 Mar 2026, 12:00: 1 person up to date/);
  assert.ok(viewer.email);
});

test('the organization tree goes from the top to a person', async (t) => {
  const { acme, person } = await openTestConsole(t);
  const viewer = await person('viewer', 'acme');
  const tree = '/orgs/acme/people/tree';
  assert.match(textOf(await viewer.get(tree)), /No person has a manager yet/);
  await acme.import({
    'users.csv': csv(
      'User Email,User Name,Manager Email',
      'eve@acme.test,Eve Top,',
      'mia@acme.test,Mia Mid,eve@acme.test',
      'low@acme.test,Lou Low,mia@acme.test',
    ),
  });
  const top = await viewer.get(tree);
  assert.match(textOf(top), /Eve Top 1 person /);
  assert.doesNotMatch(top.text, /Mia|Lou/);
  const below = textOf(await viewer.get(`${tree}?of=MIA@acme.test`));
  assert.match(below, /Eve Top Mia Mid Values mia@acme\.test Lou Low/);
  assert.equal((await viewer.get(`${tree}?of=none@acme.test`)).status, 404);
});

test('an admin changes the mails of an address, and sends them again', async (t) => {
  const { place, person } = await openTestConsole(t);
  const admin = await person('admin', 'acme');
  const id = await addSubscriber(place, mailKind, {
    ...{ org: 'acme', types: ['run.held'], secret: null, description: null },
    options: { address: 'hr@acme.test', lang: 'en' },
  });
  const page = '/orgs/acme/notifications';
  assert.match(textOf(await admin.get(page)), /hr@acme\.test .*gets mail/);
  assert.equal((await admin.post(`${page}/set`, { address: 'hr@acme.test' })).status, 422);
  assert.equal((await admin.post(`${page}/set`, { address: 'hr@acme.test', 'on-weekly': 'on' })).status, 303);
  assert.deepEqual((await listNotifications(place, 'acme'))[0]!.events, ['weekly']);
  await place.control.write('subscribers').where({ id }).update({ state: 'disabled', reason: 'no such mailbox' });
  assert.match(textOf(await admin.get(page)), /no such mailbox .*Send mail again/);
  await admin.post(`${page}/enable`, { address: 'hr@acme.test' });
  assert.equal((await findSubscriber(place.control.read, id))!.state, 'enabled');
});
