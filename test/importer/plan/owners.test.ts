/** Fields that files may not always change, and cells that empty a value (rule U4a). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bumpVersion } from '../../../db/directory/directory.js';
import { recordPersonSet } from '../../../db/directory/fieldorigins.js';
import { Company, csv } from '../../support/company.js';
import { onBothDatabases } from '../../support/databases.js';

const header = 'User Email,User Name,Manager Email,Teams,Deactivation Date,Office';
const first = csv(header, 'ann@acme.test,Ann,,Sales,,Berlin', 'bob@acme.test,Bob,ann@acme.test,Sales,,Paris');

onBothDatabases('who owns a field', (open) => {
  /** As a command does it: the values, and who set them. */
  async function setByHand(acme: Company, email: string, values: Record<string, string>, fields: string[]) {
    await acme.deps.directory.transact(async (tx) => {
      await bumpVersion(tx, acme.org.id);
      const user = await tx('users').where({ org_id: acme.org.id, email_key: email }).first('id');
      if (Object.keys(values).length > 0) await tx('users').where({ id: user.id }).update(values);
      await recordPersonSet(tx, { org: acme.org.id, entity: 'user', entityId: user.id }, fields, acme.clock);
    });
  }

  test('U4a people: a file does not replace what a person set, and says so', async (t) => {
    const fieldOwners = { 'User Name': 'people', 'manager email': 'people', Office: 'people' } as const;
    const acme = await Company.open(open, t, { options: { fieldOwners } });
    await acme.import({ 'users.csv': first });
    const [office] = await acme.deps.directory.read('fields').where({ label: 'Office' });
    await setByHand(acme, 'bob@acme.test', { user_name: 'Bobby' }, ['User Name', office.id]);
    const second = csv(header, 'ann@acme.test,Anna,,Sales,,Bonn', 'bob@acme.test,Robert,ann@acme.test,Sales,,Paris');
    const summary = await acme.import({ 'users.csv': second });
    assert.deepEqual(await acme.codes(summary), ['kept_people@3'], 'an equal value is no matter');
    const users = await acme.users();
    assert.equal(users['bob@acme.test']!.user_name, 'Bobby');
    assert.equal(users['ann@acme.test']!.user_name, 'Anna', 'no person set it');
    assert.equal(summary.users.unchanged, 1);
    const again = await acme.import({ 'users.csv': second });
    assert.deepEqual(await acme.codes(again), ['kept_people@3'], 'told each time');
  });

  test("U4a file: a file replaces what a person set, which is a file's value then", async (t) => {
    const acme = await Company.open(open, t);
    await acme.import({ 'users.csv': first });
    const [office] = await acme.deps.directory.read('fields').where({ label: 'Office' });
    await setByHand(acme, 'bob@acme.test', { user_name: 'Bobby' }, ['User Name', 'Manager Email', office.id]);
    const summary = await acme.import({
      'users.csv': csv(header, 'bob@acme.test,Robert,ann@acme.test,Sales,,Rome'),
    });
    assert.deepEqual(await acme.codes(summary), []);
    assert.equal((await acme.users())['bob@acme.test']!.user_name, 'Robert');
    const left = await acme.deps.directory.read('field_origins').where({ org_id: acme.org.id }).pluck('field');
    assert.deepEqual(left, ['Manager Email'], 'the file did not change it');
  });

  test('U4a once: a file fills a field only while it is empty, with one notice for the column', async (t) => {
    const fieldOwners = { 'User Name': 'once', 'Manager Email': 'once', Teams: 'once', Office: 'once' } as const;
    const acme = await Company.open(open, t, { options: { fieldOwners } });
    await acme.import({ 'users.csv': first });
    const summary = await acme.import({
      'users.csv': csv(
        header,
        'ann@acme.test,Anna,bob@acme.test,"Sales,EMEA",,Bonn',
        'bob@acme.test,Robert,owner@acme.test,Sales,,Rome',
      ),
    });
    // Ann's first manager would close a ring with the one that Bob keeps.
    const codes = ['kept_once@2', 'kept_once@2', 'kept_once@2', 'kept_once@3', 'manager_ring@2'];
    assert.deepEqual((await acme.codes(summary)).sort(), codes);
    const users = await acme.users();
    assert.deepEqual(
      ['ann@acme.test', 'bob@acme.test'].map((email) => [users[email]!.user_name, users[email]!.custom]),
      [
        ['Ann', { Office: 'Berlin' }],
        ['Bob', { Office: 'Paris' }],
      ],
    );
    assert.deepEqual(users['ann@acme.test']!.teams, ['Sales']);
    assert.equal(users['bob@acme.test']!.manager, 'ann@acme.test');
  });

  test('U4a a clear token empties values of users and teams; without the setting it is a text', async (t) => {
    const acme = await Company.open(open, t, { options: { clearToken: '<clear>' } });
    await acme.import({
      'teams.csv': csv('Team Name,Owner Email,Parent Team,Team Type', 'Sales,ann@acme.test,World,Big'),
      'users.csv': csv(
        header,
        'ann@acme.test,Ann,,Sales,,Berlin',
        'bob@acme.test,Bob,ann@acme.test,"Sales,World",2026-12-31,Paris',
      ),
    });
    const summary = await acme.import({
      'teams.csv': csv('Team Name,Owner Email,Parent Team,Team Type', 'Sales,<clear>,<CLEAR>,<clear>'),
      'users.csv': csv(
        `${header},Is Org Admin,Shoe`,
        // Ann's new manager closes no ring: Bob has none any more.
        'ann@acme.test,Ann,bob@acme.test,Sales,,Berlin,,<clear>',
        'bob@acme.test,<clear>,<clear>,<clear>,<clear>,<clear>,<clear>,',
        ',Carl,,,,,<clear>,',
      ),
    });
    assert.deepEqual(await acme.codes(summary, 0), []);
    assert.deepEqual(await acme.codes(summary, 1), ['clear_refused@3', 'email_missing@4'], 'once for a rejected row');
    const users = await acme.users();
    const bob = users['bob@acme.test']!;
    assert.deepEqual(
      [bob.user_name, bob.manager, bob.teams, bob.deactivation_date, bob.deactivate_at, bob.custom, bob.is_admin],
      [null, null, [], null, null, {}, 0],
    );
    assert.equal(users['ann@acme.test']!.manager, 'bob@acme.test');
    assert.deepEqual((await acme.teams()).Sales, { owner: null, parent: null, type: null });
    const changes = await acme.deps.directory.read('changes').where({ run_id: summary.run, line: 3 });
    assert.deepEqual(changes.map(({ field, before, after }) => [field, before, after]).sort(), [
      ['Deactivation Date', '2026-12-31', null],
      ['Manager Email', 'ann@acme.test', null],
      ['Office', 'Paris', null],
      ['Teams', 'Sales', null],
      ['Teams', 'World', null],
      ['User Name', 'Bob', null],
    ]);
    const again = await acme.import({
      'users.csv': csv(header, 'bob@acme.test,<clear>,<clear>,<clear>,<clear>,<clear>'),
    });
    assert.deepEqual([again.users.updated, again.users.unchanged], [0, 1], 'R2');

    const other = await Company.join(acme.databases, { id: 'other', ownerEmail: 'owner@other.test' });
    await other.import({ 'users.csv': csv(header, 'bob@other.test,<clear>,,,,') });
    assert.equal((await other.users())['bob@other.test']!.user_name, '<clear>');
  });

  test('U4a two rows of one user that differ by a token are faults; a deactivated user whose date is cleared comes back', async (t) => {
    const acme = await Company.open(open, t, { options: { clearToken: '<clear>' } });
    await acme.import({
      'users.csv': csv('User Email,Deactivation Date', 'ann@acme.test,2026-03-10', 'bob@acme.test,'),
    });
    assert.equal((await acme.users())['ann@acme.test']!.status, 'deactivated');
    const summary = await acme.import({
      'users.csv': csv(
        'User Email,Deactivation Date',
        'ann@acme.test,<clear>',
        'bob@acme.test,<clear>',
        'bob@acme.test,',
      ),
    });
    assert.deepEqual(await acme.codes(summary), ['email_twice@3', 'email_twice@4']);
    assert.equal((await acme.users())['ann@acme.test']!.status, 'active');
  });
});
