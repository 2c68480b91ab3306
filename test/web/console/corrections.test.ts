/** Corrections of one value of a person or a team, by an admin of the organization: set, emptied, recorded, undone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listAudit } from '../../../db/control/audit.js';
import { workNext } from '../../../importer/run/worker.js';
import { openUndo } from '../../../operations/runs.js';
import { showTeam } from '../../../operations/teams.js';
import { showUser } from '../../../operations/users.js';
import { csv } from '../../support/company.js';
import { openTestConsole, type TestConsole } from '../../support/console.js';

async function fill({ acme }: TestConsole): Promise<void> {
  await acme.import({ 'teams.csv': csv('Team Name,Team Type', 'North,Unit', 'South,Unit') });
  await acme.import({
    'users.csv': csv('User Email,First Name,Teams,Office', 'ann@acme.test,Ann,North,Berlin', 'bob@acme.test,Bob,,'),
  });
}

const optionsOf = (text: string) =>
  [.../<select id="label"[\s\S]*?<\/select>/.exec(text)![0].matchAll(/<option value="([^"]+)"/g)].map(
    ([, label]) => label,
  );

const standard = [
  ...['User Email', 'User Name', 'First Name', 'Last Name', 'Manager Email', 'Teams', 'User Account Type'],
  ...['Is Org Admin', 'Deactivation Date'],
];

test('an admin sets and empties each value of a person that `users set` takes, and it is recorded as theirs', async (t) => {
  const site = await openTestConsole(t);
  await fill(site);
  const { place } = site;
  const admin = await site.person('admin', 'acme');
  const ann = '/orgs/acme/people/ann%40acme.test';
  assert.deepEqual(optionsOf((await admin.get(ann)).text), [...standard, 'Office']);
  const set = (form: Record<string, string>, path = ann) => admin.post(path, { do: 'set', ...form });
  for (const [label, value] of [
    ['First Name', 'Anna'],
    ['Teams', 'South'],
    ['Manager Email', 'bob@acme.test'],
    ['Office', 'Bern'],
  ] as const) {
    const { status, headers } = await set({ label, value });
    assert.deepEqual([status, headers.get('location')], [303, `${ann}?done=saved`], label);
  }
  const read = async (email = 'ann@acme.test') => (await showUser(place, 'acme', email)).user;
  const { firstName, teams, managerEmail, custom } = await read();
  assert.deepEqual(
    [firstName, teams, managerEmail, new Map(custom).get('Office')],
    ['Anna', ['South'], 'bob@acme.test', 'Bern'],
  );

  for (const label of ['Teams', 'Manager Email', 'Office', 'First Name'])
    assert.equal((await admin.post(ann, { do: 'clear', label, value: '' })).status, 303, label);
  const emptied = await read();
  assert.deepEqual([emptied.firstName, emptied.teams, emptied.managerEmail], [null, [], null]);
  assert.equal(new Map(emptied.custom).get('Office'), undefined);
  const kept = await admin.post(ann, { do: 'clear', label: 'User Account Type', value: '' });
  assert.equal(kept.status, 422);
  assert.match(kept.text, /Every user has a &#34;User Account Type&#34;: set it to another value instead\./);

  const renamed = await set({ label: 'User Email', value: 'anna@acme.test' });
  assert.equal(renamed.headers.get('location'), '/orgs/acme/people/anna%40acme.test?done=saved');
  const page = await admin.get('/orgs/acme/people/anna%40acme.test');
  assert.match(page.text, /<td><del>ann@acme\.test<\/del><\/td><td><ins>anna@acme\.test<\/ins>/);
  const records = (await listAudit(place.control.read, 'acme')).filter(({ action }) => action.startsWith('user.'));
  assert.deepEqual(
    records.map(({ action, actor }) => `${action} ${actor}`),
    [...Array(4).fill('user.set'), ...Array(4).fill('user.cleared'), 'user.set'].map(
      (one) => `${one} web:${admin.email}`,
    ),
  );
});

test('an operator undoes a correction; a viewer corrects nothing', async (t) => {
  const site = await openTestConsole(t);
  await fill(site);
  const { acme, place } = site;
  const [admin, viewer, operator] = [
    await site.person('admin', 'acme'),
    await site.person('viewer', 'acme'),
    await site.person('operator'),
  ];
  const ann = '/orgs/acme/people/ann%40acme.test';
  assert.doesNotMatch((await viewer.get(ann)).text, /name="label"/);
  assert.equal((await viewer.post(ann, { do: 'clear', label: 'Office', value: '' })).status, 403);
  await admin.post(ann, { do: 'set', label: 'Office', value: 'Bern' });
  const { changes } = await showUser(place, 'acme', 'ann@acme.test');
  assert.equal(changes[0]!.by, `web:${admin.email}`);
  const undo = await operator.get(`/orgs/acme/imports/${changes[0]!.runId}/undo`);
  assert.equal(undo.status, 200);
  assert.match(undo.text, /Bern/);
  const run = await openUndo(place, String(changes[0]!.runId));
  await workNext(acme.deps, run);
  const { user } = await showUser(place, 'acme', 'ann@acme.test');
  assert.equal(new Map(user.custom).get('Office'), 'Berlin');
});

test('an admin sets and empties values of a team on its page', async (t) => {
  const site = await openTestConsole(t);
  await fill(site);
  const admin = await site.person('admin', 'acme');
  const viewer = await site.person('viewer', 'acme');
  const list = await admin.get('/orgs/acme/teams');
  assert.match(list.text, /<a href="\/orgs\/acme\/teams\/South">South<\/a>/);
  const south = '/orgs/acme/teams/South';
  assert.deepEqual(optionsOf((await admin.get(south)).text), ['Owner Email', 'Parent Team', 'Team Type']);
  assert.doesNotMatch((await viewer.get(south)).text, /name="label"/);
  const send = async (form: Record<string, string>) => (await admin.post(south, { value: '', ...form })).status;
  assert.equal(await send({ do: 'set', label: 'Parent Team', value: 'North' }), 303);
  assert.equal(await send({ do: 'set', label: 'Owner Email', value: 'ann@acme.test' }), 303);
  assert.equal(await send({ do: 'clear', label: 'Team Type' }), 303);
  const { team } = await showTeam(site.place, 'acme', 'South');
  assert.deepEqual([team.parentName, team.ownerEmail, team.type], ['North', 'ann@acme.test', null]);
  const refused = await admin.post(south, { do: 'clear', label: 'Owner Email', value: '' });
  assert.equal(refused.status, 422);
  assert.match(refused.text, /Every team has an owner/);
  const actors = (await listAudit(site.place.control.read, 'acme')).filter(({ action }) => action.startsWith('team.'));
  assert.deepEqual(
    actors.map(({ action, actor }) => `${action} ${actor}`),
    ['team.set', 'team.set', 'team.cleared'].map((action) => `${action} web:${admin.email}`),
  );
  assert.equal((await admin.get('/orgs/acme/teams/Nowhere')).status, 404);
});
