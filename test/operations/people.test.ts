/** A person's changes of users and teams: checked as an import checks them, recorded, audited, undone, and met by later files. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { listAudit } from '../../db/control/audit.js';
import { findOrg, updateOrg } from '../../db/control/orgs.js';
import { findRun, listImportRuns } from '../../db/control/runs.js';
import { openUploadRun } from '../../db/control/slots.js';
import { readVersion } from '../../db/directory/directory.js';
import { listPersonSet } from '../../db/directory/fieldorigins.js';
import { setOrganization } from '../../operations/orgs.js';
import { clearTeam, setTeam } from '../../operations/people/teams.js';
import { clearUser, deactivateUser, reactivateUser, setUser } from '../../operations/people/users.js';
import { readAssignment } from '../../operations/people/values.js';
import { undoRunNow } from '../../operations/runs.js';
import { showTeam } from '../../operations/teams.js';
import { showUser } from '../../operations/users.js';
import type { Workplace } from '../../operations/workplace.js';
import { Company, csv } from '../support/company.js';
import { onBothDatabases, openFresh } from '../support/databases.js';
import { changedBefore, workplaceOn } from '../support/workplace.js';

const header = 'User Email,User Name,Manager Email,Teams,Office,Employee ID';
const people = csv(
  header,
  'ann@acme.test,Ann Lee,bob@acme.test,"Sales, Ops",Berlin,E-1',
  'bob@acme.test,Bob,,Sales,Bonn,E-2',
  'cyd@acme.test,Cyd,ann@acme.test,,Ulm,E-3',
);

async function begin(open: Parameters<typeof Company.open>[0], t: TestContext, options = {}) {
  const acme = await Company.open(open, t, { options });
  const place: Workplace = { ...(await workplaceOn(t, acme.databases.settings)), now: () => acme.clock };
  await acme.import({ 'users.csv': people });
  const set = (email: string, ...values: string[]) => setUser(place, 'acme', email, values.map(readAssignment));
  const undo = (run: number | null) => undoRunNow(place, String(run), () => {}, new AbortController().signal);
  const user = async (email: string) => (await acme.users())[email]!;
  return { acme, place, set, undo, user };
}

const sqliteDatabases: Parameters<typeof Company.open>[0] = (scope) => openFresh(scope, 'sqlite');

onBothDatabases('a person changes users and teams', (open) => {
  test('a change of the owner that comes first is respected', async (t) => {
    const { acme, place, user } = await begin(open, t);
    const name = (email: string) => () => setOrganization(place, 'acme', { ownerEmail: email });
    const change = (by: Workplace, email: string, value: string) => setUser(by, 'acme', email, [readAssignment(value)]);
    await change(
      changedBefore(place, 'directory', name('bob@acme.test')),
      'owner@acme.test',
      'User Email=jane@acme.test',
    );
    assert.equal((await place.org('acme')).ownerEmail, 'bob@acme.test');

    const late = changedBefore(place, 'directory', name('ann@acme.test'));
    await assert.rejects(change(late, 'ann@acme.test', 'Is Org Admin=No'), /ann@acme.test is the owner of acme/);
    assert.equal((await user('ann@acme.test')).is_admin, 1);
    const renamed = changedBefore(place, 'directory', name('cyd@acme.test'));
    await change(renamed, 'cyd@acme.test', 'User Email=cid@acme.test');
    assert.equal((await place.org('acme')).ownerEmail, 'cid@acme.test');
    assert.equal((await acme.users())['cyd@acme.test'], undefined);
  });

  test('values are set, cleared, shown with their origin, audited without addresses, and undone', async (t) => {
    const { acme, place, set, undo, user } = await begin(open, t, { identifier: 'Employee ID' });
    const before = await user('ann@acme.test');
    const edited = await set(
      'ANN@acme.test',
      'user name=Ann Smith',
      'Manager Email=owner@acme.test',
      'Teams=Ops',
      'OFFICE=Kiel',
      'Employee ID=E-900',
      'Is Org Admin=Yes',
      'User Email=Ann.Smith@acme.test',
    );
    const after = await user('Ann.Smith@acme.test');
    assert.deepEqual(
      [after.user_name, after.manager, after.teams, after.custom, after.is_admin, after.email_key],
      ['Ann Smith', 'owner@acme.test', ['Ops'], { Office: 'Kiel', 'Employee ID': 'E-900' }, 1, 'ann.smith@acme.test'],
    );
    const shown = await showUser(place, 'acme', 'ann.smith@acme.test');
    const office = shown.story.find(({ field }) => field === 'Office')!.from!;
    assert.deepEqual([office.origin, office.by, office.runId], ['person', place.actor, edited.run]);
    assert.equal(
      (await showUser(place, 'acme', 'bob@acme.test')).story.find(({ field }) => field === 'Office')!.from!.origin,
      'file',
    );
    const event = (await listAudit(place.control.read, 'acme')).find(({ action }) => action === 'user.set')!;
    assert.deepEqual([event.subject, event.actor], [`user ${after.id}`, place.actor]);
    assert.doesNotMatch(JSON.stringify(event), /@acme|Kiel|Smith|E-900/);
    const owner = { org: 'acme', entity: 'user', entityId: Number(after.id) } as const;
    assert.equal((await listPersonSet(place.directory.read, owner)).length, 7);

    const undone = await undo(edited.run);
    assert.equal(undone.state, 'done');
    const { updated_at: _, ...restored } = await user('ann@acme.test');
    const { updated_at: __, ...was } = before;
    assert.deepEqual(restored, was);
    assert.deepEqual(await listPersonSet(place.directory.read, owner), [], 'they are from the file again');
    const story = (await showUser(place, 'acme', 'ann@acme.test')).story;
    assert.equal(story.find(({ field }) => field === 'Office')!.from!.origin, 'undo');

    const cleared = await clearUser(place, 'acme', 'ann@acme.test', ['Manager Email', 'Teams', 'Office', 'User Name']);
    const empty = await user('ann@acme.test');
    assert.deepEqual(
      [empty.user_name, empty.manager, empty.teams, empty.custom],
      [null, null, [], { 'Employee ID': 'E-1' }],
    );
    await undo(cleared.run);
    assert.deepEqual((await user('ann@acme.test')).teams, ['Ops', 'Sales']);
    assert.equal((await findRun(acme.deps.control.read, edited.run!))!.kind, 'edit');
  });

  test('a user is deactivated now and on a date, and made active again; each is undone', async (t) => {
    const { acme, place, undo, user } = await begin(open, t);
    const columns = async () => {
      const { status, deactivation_date: date, deactivate_at: at, deactivated_by: by } = await user('ann@acme.test');
      return [status, date, at, by];
    };
    const now = await deactivateUser(place, 'acme', 'ann@acme.test', null);
    assert.deepEqual(await columns(), ['deactivated', '2026-03-10', null, 'operator']);
    assert.equal((await deactivateUser(place, 'acme', 'ann@acme.test', null)).run, null, 'there is nothing to change');
    const back = await reactivateUser(place, 'acme', 'ann@acme.test');
    assert.deepEqual(await columns(), ['active', null, null, null]);
    await undo(back.run);
    assert.deepEqual(await columns(), ['deactivated', '2026-03-10', null, 'operator']);
    await undo(now.run);
    assert.equal((await columns())[0], 'deactivated', 'it was changed since');
    await reactivateUser(place, 'acme', 'ann@acme.test');

    const later = await deactivateUser(place, 'acme', 'ann@acme.test', '31.12.2026');
    assert.deepEqual(await columns(), ['active', '2026-12-31', Date.UTC(2026, 11, 30, 23), null]);
    await undo(later.run);
    assert.deepEqual(await columns(), ['active', null, null, null]);
    await deactivateUser(place, 'acme', 'ann@acme.test', '2026-12-31');
    await clearUser(place, 'acme', 'ann@acme.test', ['Deactivation Date']);
    assert.deepEqual(await columns(), ['active', null, null, null]);
    await deactivateUser(place, 'acme', 'ann@acme.test', '2026-12-31');
    await reactivateUser(place, 'acme', 'ann@acme.test');
    assert.deepEqual(await columns(), ['active', null, null, null]);
    // A file does not bring back a user whom a person deactivated.
    await deactivateUser(place, 'acme', 'ann@acme.test', null);
    await acme.import({ 'users.csv': csv('User Email,Deactivation Date', 'ann@acme.test,2027-01-01') });
    assert.equal((await columns())[0], 'deactivated');
    const blank = await acme.import({ 'users.csv': csv('User Email,Deactivation Date', 'ann@acme.test,') });
    assert.deepEqual(await acme.codes(blank), ['date_blank_withdrawn@2']);
  });

  test('a team gets another owner, parent and type', async (t) => {
    const { acme, place, undo } = await begin(open, t);
    const values = ['Owner Email=bob@acme.test', 'parent team=OPS', 'Team Type=Region'].map(readAssignment);
    const edited = await setTeam(place, 'acme', 'sales', values);
    assert.deepEqual((await acme.teams()).Sales, { owner: 'bob@acme.test', parent: 'Ops', type: 'Region' });
    await assert.rejects(setTeam(place, 'acme', 'Ops', [readAssignment('Parent Team=Sales')]), { code: 'refused' });
    const shown = await showTeam(place, 'acme', 'Sales');
    assert.equal(shown.story.find(({ field }) => field === 'Team Type')!.from!.origin, 'person');
    const cleared = await clearTeam(place, 'acme', 'Sales', ['Parent Team', 'Team Type']);
    assert.deepEqual((await acme.teams()).Sales, { owner: 'bob@acme.test', parent: null, type: null });
    await undo(cleared.run);
    await undo(edited.run);
    const left = { owner: 'owner@acme.test', parent: 'Ops', type: 'Region' };
    assert.deepEqual((await acme.teams()).Sales, left, 'a value that was changed since is left unchanged');
  });
});

test('a value that an import would not take, or that contradicts others, is refused and changes nothing', async (t) => {
  const { acme, place, set } = await begin(sqliteDatabases, t, { identifier: 'Employee ID' });
  await acme.import({ 'start.csv': csv('User Email,Start,Remote', 'bob@acme.test,2026-01-31,Yes') });
  const version = await readVersion(place.directory.read, 'acme');
  const table: [email: string, value: string, code: string, message: RegExp][] = [
    ['nobody@acme.test', 'Office=Ulm', 'not_found', /no user nobody@acme\.test in acme/],
    ['bob@acme.test', 'Ofice=Ulm', 'not_found', /no field "Ofice"/],
    ['bob@acme.test', 'Manager=Ann', 'usage', /set "Manager Email"/],
    ['bob@acme.test', 'Status=deactivated', 'usage', /users deactivate/],
    [
      'bob@acme.test',
      'Manager Email=ann',
      'usage',
      /Manager Email: "Manager Email" is not a valid email address: it has no @\. Nothing/,
    ],
    ['bob@acme.test', 'Manager Email=new@acme.test', 'refused', /no user new@acme\.test/],
    ['bob@acme.test', 'Manager Email=cyd@acme.test', 'refused', /cyd@acme\.test reports to bob@acme\.test/],
    ['bob@acme.test', 'Manager Email=BOB@acme.test', 'usage', /cannot be their own manager\. Nothing/],
    ['bob@acme.test', 'Teams=Sales, Nowhere', 'refused', /no team "Nowhere"/],
    ['bob@acme.test', 'User Account Type=Guest', 'usage', /takes Regular or Observer\. Nothing/],
    ['bob@acme.test', 'Is Org Admin=perhaps', 'usage', /takes Yes or No/],
    ['bob@acme.test', 'Start=02/03/2026', 'usage', /Write yyyy-mm-dd/],
    ['bob@acme.test', 'Start=soon', 'usage', /takes dates\. Correct/],
    ['bob@acme.test', 'Remote=often', 'usage', /takes Yes or No/],
    ['bob@acme.test', 'Deactivation Date=30.02.2027', 'usage', /not a date\. Write/],
    ['bob@acme.test', 'Deactivation Date=2026-03-09', 'usage', /2026-03-09 is over/],
    ['bob@acme.test', 'User Email=ann@acme.test', 'refused', /another user of acme has the address/],
    ['bob@acme.test', 'User Email=bob', 'usage', /not a valid email address/],
    ['bob@acme.test', 'Employee ID=E-1', 'refused', /ann@acme\.test has the "Employee ID" E-1/],
    ['owner@acme.test', 'Is Org Admin=No', 'refused', /owner@acme\.test is the owner of acme/],
    ['owner@acme.test', 'Deactivation Date=2027-01-01', 'refused', /the owner of acme/],
  ];
  for (const [email, value, code, message] of table)
    await assert.rejects(set(email, value), { code, message }, `${email} ${value}`);
  await assert.rejects(set('bob@acme.test', 'Office=Ulm', 'office=Kiel'), { code: 'usage', message: /named twice/ });
  assert.throws(() => readAssignment('Office='), { code: 'usage' });
  assert.throws(() => readAssignment('Office'), { code: 'usage' });
  for (const label of ['User Email', 'User Account Type', 'Is Org Admin'])
    await assert.rejects(clearUser(place, 'acme', 'bob@acme.test', [label]), { code: 'usage' });
  assert.equal((await set('bob@acme.test', 'Office=Bonn')).run, null);
  assert.equal(await readVersion(place.directory.read, 'acme'), version, 'no import has to plan anew');
});

test('the last active admin stays one, and an owner who is renamed stays the owner', async (t) => {
  const { acme, place, set } = await begin(sqliteDatabases, t);
  await set('ann@acme.test', 'Is Org Admin=Yes');
  await updateOrg(acme.deps.control.write, 'acme', { ownerEmail: 'ann@acme.test' });
  await set('owner@acme.test', 'Is Org Admin=No');
  await updateOrg(acme.deps.control.write, 'acme', { ownerEmail: 'owner@acme.test' });
  await assert.rejects(set('ann@acme.test', 'Is Org Admin=No'), { code: 'refused', message: /last active admin/ });
  await assert.rejects(deactivateUser(place, 'acme', 'ann@acme.test', null), { message: /last active admin/ });
  await set('owner@acme.test', 'User Email=first.owner@acme.test');
  assert.equal((await findOrg(acme.deps.control.read, 'acme'))!.ownerEmail, 'first.owner@acme.test');
});

test('doctor sees past many changes of people, and no change takes a queued file from a run on upload', async (t) => {
  const { acme, set } = await begin(sqliteDatabases, t);
  const { control } = acme.deps;
  await updateOrg(control.write, 'acme', { options: { cadence: 'on-upload' } });
  await acme.drop('/waiting.csv', people);
  acme.clock += 1;
  for (let n = 0; n < 21; n++) await set('ann@acme.test', `Office=${n}`);
  assert.deepEqual(
    (await listImportRuns(control.read, 'acme', 20)).map(({ kind }) => kind),
    ['manual'],
  );
  assert.notEqual(await openUploadRun(control.write, 'acme', acme.clock), null);
});

test('the next file is planned for the user whom a person changed, and for no other', async (t) => {
  const { acme, set, user } = await begin(sqliteDatabases, t);
  const known = async () =>
    (await acme.deps.directory.read('known_rows').select('digests')).reduce(
      (sum, { digests }) => sum + digests.length / 24,
      0,
    );
  assert.equal(await known(), 3);
  await set('ann@acme.test', 'Office=Kiel');
  assert.equal(await known(), 2);
  const again = await acme.import({ 'users.csv': people });
  assert.deepEqual([again.users.updated, again.users.unchanged], [1, 2]);
  assert.deepEqual((await user('ann@acme.test')).custom, { Office: 'Berlin', 'Employee ID': 'E-1' });
});
