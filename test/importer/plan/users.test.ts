/** What a users file does, rule by rule. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Company, csv } from '../../support/company.js';
import { onBothDatabases } from '../../support/databases.js';

onBothDatabases('users files', (open) => {
  test('U1 U3 U5 U6 U7 U8 U10 U11: a first file creates users, their managers and their teams', async (t) => {
    const acme = await Company.open(open, t);
    const summary = await acme.import({
      'users.csv': csv(
        'User Email,User Name,First Name,Last Name,Manager Email,Manager,Teams,User Account Type,Is Org Admin,Office',
        'Ann@acme.test,,Ann,Archer,,,"Sales, EMEA",,yes,Berlin',
        'bob@acme.test,Bob B.,Bob,Baker,ann@ACME.test,Ann,sales,Observer,No,Paris',
        'cyd@acme.test,Cyd,,,boss@acme.test,Big Boss,"""Research, Dev""",,,',
      ),
    });
    assert.deepEqual(await acme.codes(summary), [
      'team_made_up@2',
      'team_made_up@2',
      'user_made_up@4',
      'team_made_up@4',
    ]);
    const users = await acme.users();
    assert.deepEqual(Object.keys(users).sort(), [
      'Ann@acme.test',
      'bob@acme.test',
      'boss@acme.test',
      'cyd@acme.test',
      'owner@acme.test',
    ]);
    assert.equal(users['Ann@acme.test']!.first_name, 'Ann');
    assert.equal(users['Ann@acme.test']!.is_admin, 1);
    assert.deepEqual(users['Ann@acme.test']!.teams, ['EMEA', 'Sales']);
    assert.equal(users['bob@acme.test']!.manager, 'Ann@acme.test');
    assert.equal(users['bob@acme.test']!.account_type, 'Observer');
    assert.deepEqual(users['bob@acme.test']!.custom, { Office: 'Paris' });
    assert.deepEqual(users['cyd@acme.test']!.teams, ['Research, Dev']);
    assert.equal(users['boss@acme.test']!.user_name, 'Big Boss');
    assert.deepEqual(summary.users, {
      created: 3,
      updated: 0,
      unchanged: 0,
      deactivated: 0,
      scheduled: 0,
      stubs: 1,
      faults: 0,
      warnings: 0,
      refused: 0,
    });
    assert.equal(summary.teams.stubs, 3);
    assert.equal((await acme.teams()).Sales!.owner, 'owner@acme.test');
  });

  test('R2: the same file again plans nothing', async (t) => {
    const acme = await Company.open(open, t);
    const file = csv(
      'User Email,User Name,Manager Email,Teams,Deactivation Date,Start,Remote',
      'ann@acme.test,Ann,,"A,B",,2020-01-31,Yes',
      'bob@acme.test,Bob,ann@acme.test,A,2026-12-31,2021-02-28,no',
      'eve@acme.test,Eve,ann@acme.test,A,2026-01-31,2021-02-28,no',
    );
    await acme.import({ 'users.csv': file });
    const changes = await acme.deps.directory.read('changes').count({ n: '*' }).first();
    const again = await acme.import({ 'users.csv': file });
    assert.deepEqual(again.users, {
      created: 0,
      updated: 0,
      unchanged: 3,
      deactivated: 0,
      scheduled: 0,
      stubs: 0,
      faults: 0,
      warnings: 0,
      refused: 0,
    });
    assert.deepEqual(await acme.deps.directory.read('changes').count({ n: '*' }).first(), changes);
    assert.equal(again.files[0]!.archivedAs, '/archive/2026-03-10/users-2.csv');
  });
});
